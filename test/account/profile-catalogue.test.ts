import { readFileSync } from 'node:fs'
import { join } from 'node:path'
import { pino } from 'pino'
import t from 'tap'
import { ProfileCatalogueError, readProfileCatalogue } from '../../src/account/profile-catalogue.ts'
import { runCommand } from '../../src/cli/program.ts'
import { compose } from '../../src/compose.ts'
import { loadConfig } from '../../src/config.ts'

const SHIPPED = join(import.meta.dirname, '../../profile-settings.yaml')

t.test('the catalogue of the package has the seven switches, off, and for superusers to set', async (t) => {
  const catalogue = readProfileCatalogue('profile-settings.yaml', readFileSync(SHIPPED, 'utf8'))
  t.same(
    [...catalogue.keys()],
    [
      'independent_ontology_workspace_is_default',
      'show_text_label_tool',
      'show_tagging_tool',
      'show_cropping_tool',
      'show_tracing_tool',
      'show_ontology_tool',
      'show_roi_tool',
    ],
  )
  for (const setting of catalogue.values()) {
    t.match(setting, { type: 'boolean', default: false, editedBy: 'superuser', description: /./ })
  }
})

const setting = (lines: string) =>
  `# a comment\nsettings:\n  - name: theme\n    description: Looks\n    editedBy: user\n${lines}`

t.test('settings of every type are read with their bounds', async (t) => {
  const text = `settings:
  - {name: on, type: boolean, default: true, description: d, editedBy: user}
  - {name: motto, type: string, default: "", maxLength: 5, description: d, editedBy: user}
  - {name: size, type: integer, default: 12, minimum: 8, maximum: 32, description: d, editedBy: superuser}
  - {name: zoom, type: number, default: 1.5, minimum: 0, description: d, editedBy: user}
  - {name: theme, type: enum, values: [light, dark], default: dark, description: d, editedBy: user}
`
  const catalogue = readProfileCatalogue('mine.yaml', text)
  t.same(
    [...catalogue.values()].map((one) => [one.name, one.type, one.default]),
    [
      ['on', 'boolean', true],
      ['motto', 'string', ''],
      ['size', 'integer', 12],
      ['zoom', 'number', 1.5],
      ['theme', 'enum', 'dark'],
    ],
  )
  t.match(catalogue.get('size'), { minimum: 8, maximum: 32 })
})

t.test('a catalogue without settings is one', async (t) => {
  t.equal(readProfileCatalogue('mine.yaml', 'settings: []').size, 0)
})

const WRONG: Record<string, [text: string, faults: string[]]> = {
  'no YAML': [
    'settings: [',
    ['mine.yaml:1: Flow sequence in block collection must be sufficiently indented and end with a ]'],
  ],
  'an empty file': ['', ['mine.yaml:1: the file must be object']],
  'no list': ['settings: yes', ['mine.yaml:1: settings must be array']],
  'another member of the file': ['settings: []\n\nswitches: []\n', ['mine.yaml:3: switches is not known here']],
  'a setting that is none': ['settings:\n  - theme\n', ['mine.yaml:2: settings.0 must be object']],
  'no type': [setting('    default: 1\n'), ['mine.yaml:3: type must be one of boolean, string, integer, number, enum']],
  'an unknown type': [
    setting('    type: color\n    default: 1\n'),
    ['mine.yaml:6: type must be one of boolean, string, integer, number, enum'],
  ],
  'a missing default': [setting('    type: boolean\n'), ['mine.yaml:3: default is missing']],
  'a default of another type': [
    setting('    type: boolean\n    default: no\n'),
    ['mine.yaml:7: default must be boolean'],
  ],
  'a misspelt member': [
    setting('    type: boolean\n    default: false\n    defautl: true\n'),
    ['mine.yaml:8: defautl is not known here'],
  ],
  'somebody else to edit it': [
    setting('    type: boolean\n    default: false\n').replace('editedBy: user', 'editedBy: nobody'),
    ['mine.yaml:5: editedBy must be one of superuser, user'],
  ],
  'a name that is none': [
    setting('    type: boolean\n    default: false\n').replace('theme', '__proto__'),
    ['mine.yaml:3: name must match pattern "^[A-Za-z][A-Za-z0-9_]{0,62}$"'],
  ],
  'a name that every profile has': [
    setting('    type: boolean\n    default: false\n').replace('theme', 'color'),
    ['mine.yaml:3: every profile has its own color'],
  ],
  'a name twice': [
    `${setting('    type: boolean\n    default: false\n')}  - {name: theme, type: string, default: "", description: d, editedBy: user}\n`,
    ['mine.yaml:8: theme stands here a second time'],
  ],
  'a default beyond its bounds': [
    setting('    type: integer\n    maximum: 9\n    default: 10\n'),
    ['mine.yaml:8: the default of theme must be 9 or less'],
  ],
  'bounds that cross': [
    setting('    type: number\n    maximum: 1\n    minimum: 2\n    default: 2\n'),
    ['mine.yaml:8: the minimum of theme is above its maximum', 'mine.yaml:9: the default of theme must be 1 or less'],
  ],
  'a default that is no value of the enum': [
    setting('    type: enum\n    values: [light, dark]\n    default: pink\n'),
    ['mine.yaml:8: the default of theme must be one of light, dark'],
  ],
  'bounds that its type has not': [
    setting('    type: boolean\n    default: false\n    minimum: 1\n'),
    ['mine.yaml:8: minimum is not known here'],
  ],
  'a key twice': [
    setting('    type: boolean\n    type: string\n    default: ""\n'),
    ['mine.yaml:7: Map keys must be unique'],
  ],
}

for (const [what, [text, faults]] of Object.entries(WRONG)) {
  t.test(`a catalogue with ${what} is refused, with file and line`, async (t) => {
    try {
      readProfileCatalogue('mine.yaml', text)
      t.fail('was taken')
    } catch (error) {
      t.ok(error instanceof ProfileCatalogueError)
      t.same((error as Error).message.split('\n'), faults)
    }
  })
}

t.test('a wrong or missing catalogue stops the start before anything is opened', async (t) => {
  const dir = t.testdir({ 'mine.yaml': 'settings:\n  - name: x\n' })
  const env = { PROFILE_SETTINGS_FILE: join(dir, 'mine.yaml'), DATABASE_URL: 'postgres://x@127.0.0.1:1/x' }
  await t.rejects(compose(loadConfig(env), pino({ level: 'silent' })), ProfileCatalogueError)
  const told: string[] = []
  const terminal = { out: () => undefined, progress: (text: string) => told.push(text) }
  t.equal(await runCommand(['profiles', 'reset'], env, terminal), 1)
  t.match(told.join('\n'), /^gatehouse: .*mine\.yaml:2: type must be one of/)
  const missing = { ...env, PROFILE_SETTINGS_FILE: join(dir, 'gone.yaml') }
  t.equal(await runCommand(['profiles', 'reset'], missing, terminal), 1)
  t.match(told.at(-1), /gone\.yaml: there is no such file/)
})

import closeWithGrace from 'close-with-grace'
import { Command, CommanderError, InvalidArgumentError } from 'commander'
import type { Parts } from '../compose.ts'
import { type Config, loadConfig } from '../config.ts'
import { packageVersion } from '../http/openapi.ts'
import { readMicroInstant } from '../instant.ts'
import { isMailAddress } from '../mail-address.ts'
import { commandLog, type Terminal, withParts } from './command-parts.ts'
import { type DeactivateOptions, deactivateInactive } from './deactivate-inactive.ts'
import { startDemo } from './demo.ts'
import { faultText } from './fault-text.ts'
import { importCatmaid } from './import-catmaid.ts'
import { type ImportGrantsOptions, importGrants } from './import-grants.ts'
import { mailTest } from './mail-test.ts'
import { migrateDatabase } from './migrate.ts'
import { openapiYaml } from './openapi.ts'
import { policyLiveTest } from './policy-live-test.ts'
import { policyTest } from './policy-test.ts'
import { type ProfileResetOptions, resetProfiles } from './profiles.ts'
import { serve } from './serve.ts'
import { createServiceKey, type ServiceKeyScopes } from './service-key.ts'
import { createSuperuser, type SuperuserOptions } from './superuser.ts'

type Environment = Record<string, string | undefined>
/** What commands are given: the configuration (read when asked for), where to write, and where their exit code goes. */
type Surroundings = { config: () => Config; env: Environment; terminal: Terminal; done: (exitCode: number) => void }

const DONE = 0
const FAILED = 1
const WRONG_USAGE = 2
const SCOPES: readonly string[] = ['check', 'admin', 'metrics']

/**
 * Runs one command line.
 *
 * @returns the exit code: 0 done, 1 refused or failed, 2 wrong usage. `serve` and `demo` are done once they listen, and
 *   keep the process going
 */
export async function runCommand(args: readonly string[], env: Environment, terminal: Terminal): Promise<number> {
  let exitCode = DONE
  const program = commandLine({
    config: () => loadConfig(env),
    env,
    terminal,
    done: (code) => {
      exitCode = code
    },
  })
  try {
    await program.parseAsync(args, { from: 'user' })
    return exitCode
  } catch (error) {
    if (error instanceof CommanderError) return error.exitCode === 0 ? DONE : WRONG_USAGE
    terminal.progress(`gatehouse: ${faultText(error)}`)
    return FAILED
  }
}

function commandLine(surroundings: Surroundings): Command {
  const { out, progress } = surroundings.terminal
  const program = new Command('gatehouse')
    .description('Answers for other programs: may this user do this, in this project, to this object?')
    .version(packageVersion())
    .exitOverride()
    .configureOutput({ writeOut: (text) => out(text.trimEnd()), writeErr: (text) => progress(text.trimEnd()) })
    .addHelpText('after', '\nThe configuration comes from environment variables; the README lists them.')
  addServerCommands(program, surroundings)
  addImportCommands(program, surroundings)
  addDataCommands(program, surroundings)
  addProfileCommands(program, surroundings)
  addInactivityCommand(program, surroundings)
  addPolicyCommands(program, surroundings)
  return program
}

function addServerCommands(program: Command, { config, env, terminal, done }: Surroundings): void {
  program
    .command('serve')
    .description('bring the schema up to date and answer requests until told to end')
    .option('--workers <count>', 'answer by so many processes on the same port', workerCount, 1)
    .action((options: { workers: number }) => serve(config(), options.workers))
  program
    .command('migrate')
    .description('bring the schema of the database up to date')
    .option('--json', 'print what a program reads')
    .action(async (options) => done(await migrateDatabase(config(), options, terminal)))
  program
    .command('mail')
    .description('the way mails go out')
    .command('test')
    .argument('<address>', 'where to', addressIn)
    .description('send a mail at once and print what the server answers')
    .option('--json', 'print what a program reads')
    .action(async (address: string, options) => done(await mailTest(address, options, config(), terminal)))
  program
    .command('demo')
    .description('start the service with a small invented laboratory and print questions to try')
    .action(async () => {
      const configured = config()
      const dataDir = env.DATA_DIR === undefined || env.DATA_DIR === '' ? undefined : configured.dataDir
      const demo = await startDemo(configured, dataDir, commandLog(configured))
      closeWithGrace(() => demo.close())
      terminal.out(demo.text)
    })
}

function addImportCommands(program: Command, { config, terminal, done }: Surroundings): void {
  const command = program.command('import').description('bring data over from elsewhere')
  command
    .command('catmaid')
    .description('bring users, groups, memberships and permissions over from the database of a CATMAID site')
    .requiredOption('--from <url>', 'the database, like postgres://reader@catmaid-host/catmaid; it is only read')
    .option('--dry-run', 'say what would come, and change nothing')
    .option('--json', 'print what a program reads')
    .action(async (options) => {
      done(await withParts(config(), (parts) => importCatmaid(options, parts, terminal)))
    })
  command
    .command('grants')
    .argument('<file>', 'a CSV file with a header (.csv), or JSON lines (.jsonl)')
    .description('make the grants of a file, all or none; those that are there already are passed over')
    .option('--dry-run', 'say what would come, and change nothing')
    .option('--json', 'print what a program reads')
    .action(async (file: string, options: ImportGrantsOptions) => {
      done(await importGrants(file, options, config(), terminal))
    })
}

function addDataCommands(program: Command, { config, terminal, done }: Surroundings): void {
  program
    .command('superuser')
    .description('users who may do everything everywhere')
    .command('create')
    .argument('<username>', 'login, exactly')
    .description('make a superuser, or make the user of that login one')
    .option('--email <address>')
    .option('--confirm-edit-rights', 'insist on a login that a group with members is named like')
    .option('--json', 'print what a program reads')
    .action(async (username: string, options: SuperuserOptions) => {
      done(await createSuperuser(username, options, config(), terminal))
    })
  program
    .command('service-key')
    .description('credentials of the programs that call the service')
    .command('create')
    .argument('<name>', 'how the audit trail shall know the caller')
    .description('make a service key and print it, once')
    .requiredOption('--scopes <scopes>', `what it opens: ${SCOPES.join(', ')}; several with commas`, scopesIn)
    .option('--json', 'print what a program reads')
    .action(async (name: string, options: { scopes: ServiceKeyScopes; json?: boolean }) => {
      done(await createServiceKey(name, options, config(), terminal))
    })
}

function addProfileCommands(program: Command, { config, terminal, done }: Surroundings): void {
  program
    .command('profiles')
    .description('what users have switched on')
    .command('reset')
    .description('set the settings of all users to the defaults; never their colors and primary groups')
    .option('--include-anonymous', 'set those of the anonymous user too')
    .option('--dry-run', 'say how many users would change, and change nothing')
    .option('--json', 'print what a program reads')
    .action(async (options: ProfileResetOptions) => done(await resetProfiles(options, config(), terminal)))
}

function addInactivityCommand(program: Command, { config, terminal, done }: Surroundings): void {
  const command = program
    .command('deactivate-inactive')
    .description('deactivate the accounts that nobody has used for longer than their inactivity period')
    .option('--dry-run', 'say which ones, and change nothing')
    .option('--at <time>', 'with --dry-run: at that instant, like 2026-12-31T00:00:00Z', instantIn)
    .option('--json', 'print what a program reads')
    .action(async (options: DeactivateOptions) => {
      if (options.at !== undefined && options.dryRun !== true) command.error('error: --at needs --dry-run')
      done(await deactivateInactive(options, config(), terminal))
    })
}

function addPolicyCommands(program: Command, { config, terminal, done }: Surroundings): void {
  program
    .command('policy')
    .description('the rules in model.conf and policies/')
    .command('test')
    .description('run the cases in policies/tests/ against the policy as it is written')
    .option(
      '--live <checks>',
      'ask so many random checks about the database instead, of the index and of Casbin',
      count,
    )
    .option('--json', 'print what a program reads')
    .action(async (options) => {
      const live = (parts: Parts) => policyLiveTest(parts, options, terminal)
      done(await (options.live === undefined ? policyTest(config(), options, terminal.out) : withParts(config(), live)))
    })
  program
    .command('openapi')
    .description('print the description of the HTTP interface (OpenAPI 3.1, YAML)')
    .action(async () => terminal.out((await openapiYaml()).trimEnd()))
}

function count(text: string): number {
  if (!/^[1-9]\d{0,8}$/.test(text)) throw new InvalidArgumentError('It must be a whole number above zero.')
  return Number(text)
}

function workerCount(text: string): number {
  if (!/^[1-9]\d{0,1}$/.test(text)) throw new InvalidArgumentError('It must be a whole number from 1 to 99.')
  return Number(text)
}

function addressIn(text: string): string {
  if (!isMailAddress(text)) throw new InvalidArgumentError('It must be an address like name@example.org.')
  return text
}

function instantIn(text: string): string {
  const reading = readMicroInstant(text)
  if ('fault' in reading) throw new InvalidArgumentError(`It ${reading.fault}.`)
  return reading.text
}

function scopesIn(text: string): ServiceKeyScopes {
  const scopes = [...new Set(text.split(',').map((scope) => scope.trim()))]
  const unknown = scopes.filter((scope) => !SCOPES.includes(scope))
  if (unknown.length > 0) throw new InvalidArgumentError(`There is no scope ${JSON.stringify(unknown[0])}.`)
  return scopes as ServiceKeyScopes
}

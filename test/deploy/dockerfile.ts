import { readFileSync } from 'node:fs'
import { join } from 'node:path'

const project = join(import.meta.dirname, '..', '..')
const INSTRUCTIONS = new Set(
  'FROM WORKDIR COPY RUN ENV VOLUME USER EXPOSE STOPSIGNAL HEALTHCHECK ENTRYPOINT CMD'.split(' '),
)

/** One instruction, with its continuation lines joined. */
export type Instruction = { name: string; text: string }
/** What begins with a FROM; `name` is that after AS. */
export type Stage = { name: string | undefined; base: string; instructions: Instruction[] }

/** The stages of the Dockerfile. Throws on an instruction that the tests would not carry out. */
export function dockerfile(): Stage[] {
  const lines = readFileSync(join(project, 'Dockerfile'), 'utf8').split('\n')
  const text = lines.filter((line) => !/^\s*#/.test(line)).join('\n')
  const stages: Stage[] = []
  for (const line of text.replace(/\\\n\s*/g, ' ').split('\n')) {
    if (line.trim() === '') continue
    const { name = '', rest = '' } = /^(?<name>[A-Z]+)\s+(?<rest>.*)$/.exec(line)?.groups ?? {}
    if (!INSTRUCTIONS.has(name)) throw new Error(`the tests do not know how to carry out: ${line}`)
    if (name === 'FROM') {
      const [base = '', , as] = rest.split(/\s+/)
      stages.push({ name: as, base, instructions: [] })
    } else stages.at(-1)?.instructions.push({ name, text: rest.trim() })
  }
  return stages
}

/** Text of the last instruction of that name in the stage; throws where there is none. */
export function instructionOf({ instructions }: Stage, name: string): string {
  const found = instructions.findLast((one) => one.name === name)
  if (found === undefined) throw new Error(`the stage has no ${name}`)
  return found.text
}

/** The stage that becomes the image. */
export function imageStage(): Stage {
  const last = dockerfile().at(-1)
  if (last === undefined) throw new Error('the Dockerfile has no stage')
  return last
}

/** The names that .dockerignore lets in: all is shut out first, and then come whole files and folders. */
export function buildContext(): string[] {
  const [all, ...lines] = readFileSync(join(project, '.dockerignore'), 'utf8').trim().split('\n')
  if (all !== '*' || lines.some((line) => !/^![\w.-]+$/.test(line))) {
    throw new Error('.dockerignore no longer is * and then one !name a line')
  }
  return lines.map((line) => line.slice(1))
}

import { chmod, mkdtemp, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import type { Logger } from 'pino'
import { buildApp } from '../app.ts'
import { compose, type Parts } from '../compose.ts'
import type { Config } from '../config.ts'
import { migrate } from '../database/data-source.ts'
import { curlOf, demoQuestions, type Laboratory, makeLaboratory } from './demo-laboratory.ts'

/** A demo that answers at `url`; `text` tells a person what to try. */
export type RunningDemo = { url: string; text: string; close(): Promise<void> }

/** The demo cannot start; the message says why. */
export class DemoError extends Error {
  constructor(message: string) {
    super(message)
    this.name = 'DemoError'
  }
}

/**
 * `gatehouse demo`: the service with an invented laboratory, on the embedded database whatever the configuration says.
 * The data lies in `dataDir`, which must hold no users or projects yet; without one, in a temporary folder that goes
 * with the demo.
 *
 * @throws DemoError when `dataDir` holds data, and what {@link compose} throws
 */
export async function startDemo(config: Config, dataDir: string | undefined, log: Logger): Promise<RunningDemo> {
  const folder = dataDir ?? (await temporaryFolder())
  const removeFolder = async () => {
    if (dataDir === undefined) await rm(folder, { recursive: true, force: true })
  }
  try {
    const parts = await compose({ ...config, databaseUrl: undefined, dataDir: folder }, log)
    try {
      return await serveLaboratory(parts, removeFolder)
    } catch (error) {
      await parts.close()
      throw error
    }
  } catch (error) {
    await removeFolder()
    throw error
  }
}

async function serveLaboratory(parts: Parts, removeFolder: () => Promise<void>): Promise<RunningDemo> {
  const { config, database } = parts
  await migrate(database.dataSource)
  if (await holdsData(parts))
    throw new DemoError(`${config.dataDir} holds data already: give the demo an empty DATA_DIR`)
  await parts.start()
  const laboratory = await makeLaboratory(parts)
  parts.startWork()
  // A slow machine may take its time here.
  const app = await buildApp(parts, { eventLoopDelay: 0 })
  try {
    const url = await app.listen({ host: config.host, port: config.port })
    const close = async () => {
      await app.close()
      await parts.close()
      await removeFolder()
    }
    return { url, text: demoText(laboratory, url), close }
  } catch (error) {
    await app.close()
    throw error
  }
}

/** Open for the account that the embedded server runs as when we are root; it holds nothing but a folder of its own. */
async function temporaryFolder(): Promise<string> {
  const folder = await mkdtemp(join(tmpdir(), 'gatehouse-demo-'))
  await chmod(folder, 0o755)
  return folder
}

async function holdsData({ projects, users }: Parts): Promise<boolean> {
  const one = { limit: 1, sort: 'id', descending: false, after: null } as const
  const found = await Promise.all([projects.list({}, one), users.list({ isAnonymous: false }, one)])
  return found.some((some) => some.length > 0)
}

function demoText(laboratory: Laboratory, url: string): string {
  const questions = demoQuestions(laboratory).map((question, at) =>
    [
      `${at + 1}. ${question.title}`,
      '',
      curlOf(question, url, laboratory.key),
      '',
      `   answers ${JSON.stringify(question.answer)}`,
    ].join('\n'),
  )
  return `
Gatehouse is running at ${url} with an invented laboratory. Project ${laboratory.projectId} is "Larval brain, left
hemisphere". ines administers it; ada and bruno trace neurons in it, as members of the group tracers; ada is
also in the group bruno. Try these in another terminal:

${questions.join('\n\n')}

The key may also administer: ${url}/docs shows all there is. Ctrl-C ends the demo.
`
}

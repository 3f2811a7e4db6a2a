import { type ChildProcess, fork } from 'node:child_process'
import { fileURLToPath } from 'node:url'
import type { Permission } from '../src/decision/policy-state.ts'

/**
 * Where and what to write: one grant a transaction, `grantsASecond` of them. Every other grant is in force at once, on a
 * project made for it, to the users in turn; the rest goes to pairs of user and project that are asked about, but is not
 * in force for decades, so that the index which answers is changed and the answers are not.
 */
export type WriteOrder = {
  databaseUrl: string
  users: number[]
  askedPairs: [user: number, project: number][]
  grantsASecond: number
}

/** What was written between `begin` and `end`, and what it cost. */
export type Written = {
  grants: number
  seconds: number
  /** Of the writing process. */
  writerCpuSeconds: number
  /** Of all sessions of that database, the service's own too; NaN where the server is not on this machine. */
  databaseCpuSeconds: number
  /** The newest revision once all was committed. */
  revision: number
  /** Grants that are in force, the latest at most a thousand. */
  inForce: { user: number; project: number; permission: Permission }[]
}

export type WriterOrder = { kind: 'begin'; order: WriteOrder } | { kind: 'end' }

/** Writes grants by SQL in a process of its own, so that what it takes can be told apart. */
export class GrantWriter {
  private readonly child: ChildProcess

  constructor() {
    const script = fileURLToPath(new URL('grant-writer-process.ts', import.meta.url))
    this.child = fork(script, { execArgv: ['--import=tsx'], stdio: ['ignore', 'inherit', 'inherit', 'ipc'] })
  }

  /** Resolves once the first grants are in. */
  async begin(order: WriteOrder): Promise<void> {
    await this.told({ kind: 'begin', order })
  }

  /** Stops writing and gives account of it. */
  async end(): Promise<Written> {
    return (await this.told({ kind: 'end' })) as Written
  }

  /** Ends the process. */
  stop(): void {
    this.child.kill()
  }

  private told(order: WriterOrder): Promise<unknown> {
    return new Promise((resolve, reject) => {
      const ended = () => reject(new Error('the writing process ended'))
      this.child.once('exit', ended)
      this.child.once('message', (answer: { result?: unknown; failed?: string }) => {
        this.child.off('exit', ended)
        if (answer.failed === undefined) resolve(answer.result)
        else reject(new Error(`writing process: ${answer.failed}`))
      })
      this.child.send(order)
    })
  }
}

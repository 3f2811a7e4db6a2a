import { type ChildProcess, fork } from 'node:child_process'
import { fileURLToPath } from 'node:url'
import type { LoadOrder, Round } from './http-load.ts'
import type { Contender } from './peer.ts'

/** What identifies a contender in a run. */
export const nameOf = ({ peer, grants }: Pick<Contender, 'peer' | 'grants'>): string => `${peer} @ ${grants}`

/** Drives the load process; one order at a time. */
export class LoadDriver {
  private readonly child: ChildProcess

  constructor() {
    const script = fileURLToPath(new URL('load-process.ts', import.meta.url))
    this.child = fork(script, { execArgv: ['--import=tsx'], stdio: ['ignore', 'inherit', 'inherit', 'ipc'] })
  }

  /** Hands over what to send, once. */
  async prepare({ port, pid, shape, exchanges, ...named }: Contender): Promise<void> {
    await this.order({ kind: 'prepare', name: nameOf(named), port, pid, shape, exchanges })
  }

  /** One round of load; rejects when a connection breaks. */
  async run(contender: Contender, seconds: number | 'each once'): Promise<Round> {
    const answer = await this.order({
      kind: 'run',
      name: nameOf(contender),
      connections: contender.connections,
      seconds,
    })
    if (!answer.round) throw new Error('the load process sent no round')
    return answer.round
  }

  /** Ends the load process. */
  stop(): void {
    this.child.kill()
  }

  private order(order: LoadOrder): Promise<{ round?: Round }> {
    return new Promise((resolve, reject) => {
      const ended = () => reject(new Error('the load process ended'))
      this.child.once('exit', ended)
      this.child.once('message', (answer: { round?: Round; failed?: string }) => {
        this.child.off('exit', ended)
        if (answer.failed === undefined) resolve(answer)
        else reject(new Error(`load process: ${answer.failed}`))
      })
      this.child.send(order)
    })
  }
}

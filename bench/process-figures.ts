import { readFileSync } from 'node:fs'

/** Linux counts processor time in hundredths of a second for everybody (USER_HZ). */
const TICKS_A_SECOND = 100

/** Processor seconds, user and system, of a whole process so far; NaN where there is no /proc. */
export function cpuSecondsOf(pid: number): number {
  const stat = procFile(pid, 'stat')
  const fields = stat.slice(stat.lastIndexOf(')') + 2).split(' ')
  return (Number(fields[11]) + Number(fields[12])) / TICKS_A_SECOND
}

/** Resident memory of a process in bytes; NaN where there is no /proc. */
export function residentBytesOf(pid: number): number {
  return Number(/^VmRSS:\s+(\d+) kB$/m.exec(procFile(pid, 'status'))?.[1] ?? Number.NaN) * 1024
}

/** What the kernel calls a process; empty where there is none, or no /proc. */
export const nameOfProcess = (pid: number): string => procFile(pid, 'comm').trim()

function procFile(pid: number, name: string): string {
  try {
    return readFileSync(`/proc/${pid}/${name}`, 'utf8')
  } catch {
    return ''
  }
}

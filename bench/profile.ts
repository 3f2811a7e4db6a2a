/**
 * `npm run bench:profile`: where the service spends its time under the benchmark's load. Starts it on a filled database,
 * asks everything once (answers are compared, and the code gets warm), profiles it under load, and prints the self time
 * by group and the functions that take most of it. The profile is kept for Chrome's or an editor's viewer.
 */
import { mkdirSync, readFileSync } from 'node:fs'
import { fileURLToPath } from 'node:url'
import { parseArgs } from 'node:util'
import type { Contender } from './peer.ts'
import { batchContender, gatehouseContender, oneUserContender } from './peers/gatehouse.ts'
import { optionsOf } from './plan.ts'
import { type CpuProfile, profileReport } from './profile-report.ts'
import { faultsOf } from './rounds.ts'
import type { Service } from './stage.ts'
import { Stage } from './stage.ts'

const KINDS: Record<string, (service: Service, serviceKey: string) => Contender> = {
  check: ({ server, load }, serviceKey) => gatehouseContender(server, load, serviceKey),
  batch: ({ server, load }, serviceKey) => batchContender(server, load, serviceKey),
  'one-user': ({ server, load }, serviceKey) => oneUserContender(server, load, serviceKey),
}

const { values: options } = parseArgs({
  options: {
    grants: { type: 'string', default: '100000' },
    seconds: { type: 'string', default: '10' },
    load: { type: 'string', default: 'check' },
    top: { type: 'string', default: '40' },
    'database-url': { type: 'string' },
  },
})
const contenderOf = KINDS[options.load]
if (!contenderOf) throw new Error(`--load takes ${Object.keys(KINDS).join(', ')}`)

const { plan } = optionsOf(['--quick'])
const stage = new Stage({ plan, databaseUrl: options['database-url'] }, console.error)
process.once('SIGINT', () => void stage.end().then(() => process.exit(1)))
try {
  await stage.open()
  const { load, databaseUrl } = await stage.filled(Number(options.grants))
  const server = await stage.startService(databaseUrl)
  const contender = contenderOf({ load, databaseUrl, server }, stage.serviceKey)
  await stage.driver.prepare(contender)
  const faults = faultsOf(contender, await stage.driver.run(contender, 'each once'))
  await stage.driver.run(contender, 2)
  const path = profilePath(options.load)
  await server.ask({ kind: 'profile' })
  const round = await stage.driver.run(contender, Number(options.seconds))
  await server.ask({ kind: 'profiled', path })
  faults.push(...faultsOf(contender, round))
  const profile: CpuProfile = JSON.parse(readFileSync(path, 'utf8'))
  console.log(profileReport(profile, round.requests, Number(options.top)))
  console.error(`kept in ${path}`)
  for (const { where, fault } of faults) console.error(`WRONG: ${where}: ${fault}`)
  if (faults.length > 0) process.exitCode = 1
} finally {
  await stage.end()
}

function profilePath(load: string): string {
  const folder = fileURLToPath(new URL('results', import.meta.url))
  mkdirSync(folder, { recursive: true })
  return `${folder}/${new Date().toISOString().replaceAll(':', '-')}-${load}.cpuprofile`
}

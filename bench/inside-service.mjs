/**
 * Loaded into a service that is measured (`node --import`), beside the service as it is shipped: tells what its memory
 * holds after a collection of garbage, and takes a CPU profile, when asked over the channel to its parent. Costs nothing
 * until then.
 *
 * JavaScript, because the loader for TypeScript would be loaded into the service too.
 */
import { writeFileSync } from 'node:fs'
import { Session } from 'node:inspector/promises'
import { setFlagsFromString } from 'node:v8'
import { runInNewContext } from 'node:vm'

const inspector = new Session()

const ORDERS = {
  memory() {
    setFlagsFromString('--expose-gc')
    const collect = runInNewContext('gc')
    // The second collection takes what only finalizers of the first let go.
    collect()
    collect()
    return process.memoryUsage()
  },
  async profile() {
    inspector.connect()
    await inspector.post('Profiler.enable')
    await inspector.post('Profiler.setSamplingInterval', { interval: 200 })
    await inspector.post('Profiler.start')
    return {}
  },
  async profiled({ path }) {
    const { profile } = await inspector.post('Profiler.stop')
    inspector.disconnect()
    writeFileSync(path, JSON.stringify(profile))
    return {}
  },
}

process.on('message', async (order) => {
  process.send?.(await ORDERS[order.kind](order))
})
// The service must end as if nobody listened.
process.channel?.unref()

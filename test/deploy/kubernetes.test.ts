import { readdirSync, readFileSync } from 'node:fs'
import { join } from 'node:path'
import { validate as deployment } from 'kubernetes-models/_schemas/IoK8sApiAppsV1Deployment'
import { validate as cronJob } from 'kubernetes-models/_schemas/IoK8sApiBatchV1CronJob'
import { validate as configMap } from 'kubernetes-models/_schemas/IoK8sApiCoreV1ConfigMap'
import { validate as secret } from 'kubernetes-models/_schemas/IoK8sApiCoreV1Secret'
import { validate as service } from 'kubernetes-models/_schemas/IoK8sApiCoreV1Service'
import t from 'tap'
import { parse } from 'yaml'
import { runCommand } from '../../src/cli/program.ts'
import { configVariables, loadConfig } from '../../src/config.ts'
import { imageStage, instructionOf } from './dockerfile.ts'

type Container = {
  name: string
  image: string
  args?: string[]
  command?: string[]
  ports?: { name: string; containerPort: number }[]
  env?: { name: string }[]
  envFrom: { configMapRef?: { name: string }; secretRef?: { name: string } }[]
  volumeMounts?: { name: string; mountPath: string }[]
  livenessProbe?: { httpGet: { path: string; port: string } }
  readinessProbe?: { httpGet: { path: string; port: string } }
  resources: object
  securityContext: object
}
type PodSpec = {
  securityContext: { runAsUser: number; runAsGroup: number }
  containers: Container[]
  volumes?: { name: string; emptyDir?: object }[]
}
type Pod = { metadata: { labels: Record<string, string> }; spec: PodSpec }
type Selecting = { spec: { selector: Record<string, string>; ports: { targetPort: string }[] } }
type CronSpec = {
  suspend: boolean
  schedule: string
  timeZone: string
  concurrencyPolicy: string
  jobTemplate: { spec: { template: Pod } }
}
type ComposeService = { environment: Record<string, string>; profiles?: string[]; command?: string[] }

const project = join(import.meta.dirname, '..', '..')
const folder = join(project, 'deploy', 'kubernetes')
const VALIDATORS: Record<string, (data: unknown) => boolean> = {
  'apps/v1 Deployment': deployment,
  'batch/v1 CronJob': cronJob,
  'v1 ConfigMap': configMap,
  'v1 Secret': secret,
  'v1 Service': service,
}
const known = new Set(configVariables().map(({ name }) => name))

/**
 * What is wrong with a manifest by the schemas of Kubernetes. They allow properties that they do not name, and the API
 * server drops those silently; so a property that the validator never looks at is a fault, too.
 */
function faultsOf(manifest: { apiVersion: string; kind: string }): string[] {
  const validate = VALIDATORS[`${manifest.apiVersion} ${manifest.kind}`]
  if (validate === undefined) return [`no schema for ${manifest.apiVersion} ${manifest.kind}`]
  const seen = new Set<string>()
  if (!validate(watched(manifest, '', seen))) {
    const { errors } = validate as { errors?: { instancePath: string; message?: string; keyword: string }[] }
    return (errors ?? []).map(({ instancePath, keyword }) => `${instancePath || '/'}: ${keyword}`)
  }
  return pathsIn(manifest, '').filter((path) => !seen.has(path))
}

function watched<Value extends object>(value: Value, path: string, seen: Set<string>): Value {
  return new Proxy(value, {
    get(target, key, receiver) {
      const inner: unknown = Reflect.get(target, key, receiver)
      if (typeof key !== 'string') return inner
      seen.add(`${path}/${key}`)
      return typeof inner === 'object' && inner !== null ? watched(inner, `${path}/${key}`, seen) : inner
    },
  })
}

function pathsIn(value: unknown, path: string): string[] {
  if (typeof value !== 'object' || value === null) return []
  return Object.entries(value).flatMap(([key, inner]) => [`${path}/${key}`, ...pathsIn(inner, `${path}/${key}`)])
}

const read = (name: string) => parse(readFileSync(join(folder, name), 'utf8'))
const files = readdirSync(folder).sort()
const serving: Pod = read('deployment.yaml').spec.template
const cron: CronSpec = read('cronjob.yaml').spec
const running: Pod = cron.jobTemplate.spec.template
const variables: Record<string, string> = read('configmap.yaml').data
const secrets: Record<string, string> = read('secret.template.yaml').stringData

function onlyContainer({ spec }: Pod): Container {
  const [container, ...others] = spec.containers
  if (container === undefined || others.length > 0) throw new Error('expected one container')
  return container
}

async function helpOf(command: string[]): Promise<string> {
  let help = ''
  await runCommand([...command, '--help'], {}, { out: (text) => (help += text), progress: () => undefined })
  return help
}

t.test('every manifest fits the schema of its kind', async (t) => {
  t.same(files, ['configmap.yaml', 'cronjob.yaml', 'deployment.yaml', 'secret.template.yaml', 'service.yaml'])
  for (const file of files) t.same(faultsOf(read(file)), [], file)
})

t.test('a broken manifest does not fit', async (t) => {
  const broken = (file: string, pattern: string | RegExp, replacement: string) => {
    const text = readFileSync(join(folder, file), 'utf8')
    t.match(text, pattern)
    return faultsOf(parse(text.replace(pattern, replacement)))
  }
  t.same(broken('deployment.yaml', 'replicas: 2', 'replicas: two'), ['/spec/replicas: type'])
  t.same(broken('cronjob.yaml', 'schedule: "0 0 * * *"', 'schedul: "0 0 * * *"'), ['/spec: required'])
  t.same(broken('service.yaml', 'port: 80,', 'port: http,'), ['/spec/ports/0/port: type'])
  t.same(broken('configmap.yaml', 'LOG_LEVEL: info', 'LOG_LEVEL: 7'), ['/data/LOG_LEVEL: type'])
  t.same(broken('deployment.yaml', 'readOnlyRootFilesystem', 'readOnlyRootFileSystem'), [
    '/spec/template/spec/containers/0/securityContext/readOnlyRootFileSystem',
  ])
  t.same(broken('deployment.yaml', 'kind: Deployment', 'kind: Deploiment'), ['no schema for apps/v1 Deploiment'])
})

t.test('every variable that is set is one of ours, and together they are a configuration', async (t) => {
  const named = [...Object.keys(variables), ...Object.keys(secrets)]
  for (const pod of [serving, running]) {
    const container = onlyContainer(pod)
    named.push(...(container.env ?? []).map(({ name }) => name))
    t.same(container.envFrom, [{ configMapRef: { name: 'gatehouse' } }, { secretRef: { name: 'gatehouse' } }])
  }
  t.same(
    named.filter((name) => !known.has(name)),
    [],
  )
  t.ok(Object.values(secrets).every((value) => value === ''))
  const filled = { DATABASE_URL: 'postgres://a@b/c', SMTP_URL: 'smtp://mail.example.org' }
  t.same(Object.keys(filled).sort(), Object.keys(secrets).sort())
  t.doesNotThrow(() => loadConfig({ ...variables, ...filled }))
  t.doesNotThrow(() => loadConfig({ ...variables, INACTIVITY_SCHEDULE: cron.schedule, ...filled }), 'when swapped')
})

t.test('the commands are commands of ours', async (t) => {
  t.equal(instructionOf(imageStage(), 'ENTRYPOINT'), '["node", "dist/main.js"]')
  t.equal(instructionOf(imageStage(), 'CMD'), '["serve"]')
  const service = onlyContainer(serving)
  t.same([service.command, service.args], [undefined, undefined], 'the service starts as the image says')
  const { command, args = [] } = onlyContainer(running)
  t.equal(command, undefined)
  const [name = '', ...options] = args
  const help = await helpOf([name])
  t.match(help, `Usage: gatehouse ${name} `)
  t.notMatch(await helpOf(['deactivate-nobody']), 'Usage: gatehouse deactivate-nobody')
  for (const option of options) t.match(help, ` ${option} `)
})

t.test('containers run as the user of the image, without privileges, and write only to DATA_DIR', async (t) => {
  const [user, group] = instructionOf(imageStage(), 'USER').split(':').map(Number)
  for (const pod of [serving, running]) {
    t.match(pod.spec.securityContext, { runAsNonRoot: true, runAsUser: user, runAsGroup: group })
    const { securityContext, resources } = onlyContainer(pod)
    t.match(securityContext, {
      allowPrivilegeEscalation: false,
      readOnlyRootFilesystem: true,
      capabilities: { drop: ['ALL'] },
    })
    t.match(resources, { requests: { cpu: String, memory: String }, limits: { memory: String } })
  }
  t.match(onlyContainer(serving).volumeMounts, [{ name: 'data', mountPath: instructionOf(imageStage(), 'VOLUME') }])
  t.match(serving.spec.volumes, [{ name: 'data', emptyDir: {} }])
  t.equal(running.spec.volumes, undefined)
})

t.test('probes and Service reach the service, and the Service does not reach the CronJob', async (t) => {
  const { livenessProbe, readinessProbe, ports } = onlyContainer(serving)
  t.match([livenessProbe, readinessProbe], [{ httpGet: { path: '/healthz' } }, { httpGet: { path: '/readyz' } }])
  t.match(ports, [{ name: 'http', containerPort: Number(instructionOf(imageStage(), 'EXPOSE')) }])
  const { spec }: Selecting = read('service.yaml')
  t.same([livenessProbe?.httpGet.port, readinessProbe?.httpGet.port, spec.ports[0]?.targetPort], Array(3).fill('http'))
  t.same(read('deployment.yaml').spec.selector.matchLabels, serving.metadata.labels)
  t.same(spec.selector, serving.metadata.labels)
  t.notSame(spec.selector, running.metadata.labels)
})

t.test('in Kubernetes the CronJob deactivates inactive accounts, and the service does not', async (t) => {
  t.match(cron, { suspend: false, schedule: '0 0 * * *', timeZone: 'Etc/UTC', concurrencyPolicy: 'Forbid' })
  t.equal(onlyContainer(running).args?.[0], 'deactivate-inactive')
  t.equal(variables.INACTIVITY_SCHEDULE, '')
  t.equal(variables.INACTIVITY_TIME_ZONE, cron.timeZone)
})

t.test('with Compose the service deactivates them, and the command waits for a scheduler', async (t) => {
  const text = readFileSync(join(project, 'compose.yaml'), 'utf8')
  const { services }: { services: Record<string, ComposeService> } = parse(text, { merge: true })
  const { gatehouse, 'deactivate-inactive': once } = services
  t.same(
    Object.keys(gatehouse?.environment ?? {}).filter((name) => !known.has(name)),
    [],
  )
  t.equal(gatehouse?.profiles, undefined)
  const { fallback = '' } =
    /^\$\{INACTIVITY_SCHEDULE-(?<fallback>.+)\}$/.exec(gatehouse?.environment.INACTIVITY_SCHEDULE ?? '')?.groups ?? {}
  t.equal(loadConfig({ INACTIVITY_SCHEDULE: fallback }).inactivity.schedule, cron.schedule)
  t.match(once, { profiles: ['scheduled'], environment: { INACTIVITY_SCHEDULE: '' } })
  const { command = [] } = once ?? {}
  t.match(await helpOf(command), `Usage: gatehouse ${command.join(' ')} `)
})

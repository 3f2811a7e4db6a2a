import { connect } from 'node:net'
import t from 'tap'
import { testService } from '../harness/service.ts'
import { callWithoutToken, signedIn } from '../harness/sign-in.ts'

const service = await testService(t)
const { url, keys, query } = service
const alice = await signedIn(t, service)
await query(`INSERT INTO users (id, username) VALUES (900, 'bob')`)
await query(`INSERT INTO projects (id, title) VALUES (3, 'x')`)
await query(
  `INSERT INTO grants (user_id, project_id, permission) VALUES (900, 3, 'can_annotate'), (900, 3, 'can_browse')`,
)

type Sent = { body: string; key?: string | undefined; type?: string; path?: string }

/** The same request the short way, and the long way that a request id of its own asks for. */
async function bothWays({ body, key = keys.check, type = 'application/json', path = '/check' }: Sent) {
  const ask = async (more: Record<string, string>) => {
    const headers = { 'content-type': type, ...(key !== '' && { authorization: `Bearer ${key}` }), ...more }
    const answer = await fetch(url + path, { method: 'POST', headers, body })
    const { instance: _, ...told } = JSON.parse(await answer.text())
    return { status: answer.status, type: answer.headers.get('content-type'), told }
  }
  return [await ask({}), await ask({ 'x-request-id': 'the-long-way' })] as const
}

const check = (more: object) => JSON.stringify({ user: 'bob', project: 3, permission: 'can_annotate', ...more })

t.test('a plain check and one that goes the long way are answered alike, whatever is asked', async (t) => {
  const [{ revision }] = (await query('SELECT revision FROM policy_head')) as [{ revision: number }]
  const asked: [string, Sent, number][] = [
    ['an allow', { body: check({}) }, 200],
    ['a deny', { body: check({ permission: 'can_import' }) }, 200],
    ['nobody known', { body: check({ user: 'nobody' }) }, 200],
    ['the anonymous user', { body: check({ user: null }) }, 200],
    ['by token', { body: check({ via: 'token' }) }, 200],
    ['an object', { body: check({ object: { creator: 'alice', importer: 900 } }) }, 200],
    ['objects', { body: check({ objects: [{ creator: 'bob' }, { creator: 'alice' }] }) }, 200],
    ['more objects than are plain', { body: check({ objects: Array(300).fill({ creator: 'bob' }) }) }, 200],
    ['a revision that is here', { body: check({ atLeastRevision: revision }) }, 200],
    ['a revision to come', { body: check({ atLeastRevision: revision + 1000 }) }, 503],
    ['a name with a colon and escapes', { body: check({ user: 'a:b\u0000"\\' }) }, 200],
    ['a charset', { body: check({}), type: 'application/json; charset=utf-8' }, 200],
    ['another type', { body: check({}), type: 'text/plain' }, 415],
    ['an explanation', { body: check({}), path: '/check?explain=true' }, 200],
    ['no body', { body: '' }, 400],
    ['no JSON', { body: '{' }, 400],
    ['a name twice', { body: '{"user":"bob","project":3,"permission":"can_browse","user":"alice"}' }, 400],
    ['an unknown field', { body: check({ Via: 'token' }) }, 400],
    ['a wrong type', { body: check({ project: '3' }) }, 400],
    [
      'an object with another permission',
      { body: check({ permission: 'can_browse', object: { creator: 'bob' } }) },
      400,
    ],
    ['both object and objects', { body: check({ object: { creator: 1 }, objects: [{ creator: 1 }] }) }, 400],
    ['no key', { body: check({}), key: '' }, 401],
    ['a wrong key', { body: check({}), key: `${keys.check}x` }, 401],
    ['a key of another scope', { body: check({}), key: keys.metrics }, 403],
    ['in person, about another', { body: check({}), key: alice.accessToken }, 403],
    ['in person, about oneself', { body: check({ user: 'alice' }), key: alice.accessToken }, 200],
    ['in person, another way', { body: check({ user: 'alice', via: 'token' }), key: alice.accessToken }, 400],
  ]
  for (const [what, sent, status] of asked) {
    const [short, long] = await bothWays(sent)
    t.same(short, long, what)
    t.equal(short.status, status, what)
  }
})

t.test('both ways count their answers and decisions, each once', async (t) => {
  const figures = async () => {
    const text = await (await fetch(`${url}/metrics`, { headers: { authorization: `Bearer ${keys.metrics}` } })).text()
    const figure = (pattern: RegExp) => Number(pattern.exec(text)?.[1] ?? 0)
    return [
      figure(/gatehouse_http_requests_total\{method="POST",route="\/check",status="200"\} (\d+)/),
      figure(/gatehouse_http_request_duration_seconds_count\{method="POST",route="\/check"\} (\d+)/),
      figure(/gatehouse_decisions_total\{outcome="allow",reason="allowed"\} (\d+)/),
    ] as const
  }
  const before = await figures()
  for (let n = 0; n < 5; n += 1) await bothWays({ body: check({}) })
  const after = await figures()
  t.equal(after[0] - before[0], 10)
  t.ok(after[1] - before[1] >= 10)
  t.equal(after[2] - before[2], 10)
})

/** Sends bytes in the given pieces, waits until so many answers have come, and gives all of them. */
function conversation(pieces: string[], answers: number): Promise<string> {
  const { hostname, port } = new URL(url)
  return new Promise((resolve, reject) => {
    let received = ''
    const end = () => {
      socket.destroy()
      resolve(received)
    }
    const socket = connect(Number(port), hostname, async () => {
      for (const piece of pieces) {
        socket.write(piece)
        await new Promise((done) => setTimeout(done, 20))
      }
      if (answers === 0) end()
    })
    socket.on('error', reject)
    socket.on('close', () => resolve(received))
    socket.on('data', (chunk) => {
      received += chunk.toString()
      if (answers > 0 && received.split('HTTP/1.1 ').length > answers && received.endsWith('}')) end()
    })
  })
}

const head = (body: string, more = '') =>
  `POST /check HTTP/1.1\r\nHost: x\r\nAuthorization: Bearer ${keys.check}\r\nContent-Type: application/json\r\nContent-Length: ${body.length}\r\n${more}\r\n`

t.test('bodies that come in pieces, and several requests at once, are answered each in its turn', async (t) => {
  const [yes, no, bad] = [check({}), check({ permission: 'can_fork' }), check({ Via: 1 })]
  const inPieces = await conversation([head(yes), yes.slice(0, 10), yes.slice(10)], 1)
  t.match(inPieces, /"allowed":true/)
  const all = [yes, bad, no, yes].map((body) => head(body) + body).join('')
  const answers = (await conversation([all], 4)).match(/"allowed":\w+|"code":"[\w-]+"/g)
  t.same(answers, ['"allowed":true', '"code":"invalid-request"', '"allowed":false', '"allowed":true'])
})

t.test('whoever leaves in the middle of a body does no harm', async (t) => {
  const body = check({})
  for (let n = 0; n < 20; n += 1) await conversation([head(body) + body.slice(0, 12)], 0)
  t.equal((await bothWays({ body }))[0].status, 200)
  t.equal((await callWithoutToken(service, 'GET', '/readyz')).status, 200)
})

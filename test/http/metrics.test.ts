import t from 'tap'
import { testService } from '../harness/service.ts'

t.test('metrics count decisions and requests, and tell revision, age and size of policy', async (t) => {
  const service = await testService(t)
  const { url, keys } = service
  const check = (body: object, path = '/check') =>
    fetch(url + path, {
      method: 'POST',
      headers: { authorization: `Bearer ${keys.check}`, 'content-type': 'application/json' },
      body: JSON.stringify(body),
    })
  const unknown = { user: 'nobody', project: 1, permission: 'can_browse' }
  await check(unknown)
  await check(unknown, '/check?explain=true')
  await check({ checks: [unknown, unknown, unknown] }, '/checks')
  await check({})
  const { value: user, revision } = await service.parts.users.create(
    { caller: 'command:test', requestId: null, inPerson: null },
    { username: 'root', isSuperuser: true },
  )
  await check({ ...unknown, user: user.id, atLeastRevision: revision })

  const answer = await fetch(`${url}/metrics`, { headers: { authorization: `Bearer ${keys.metrics}` } })
  t.match(answer.headers.get('content-type'), /^text\/plain; version=0\.0\.4/)
  const lines = new Map((await answer.text()).split('\n').map((line) => line.split(/ (?=[^ ]*$)/) as [string, string]))
  const figure = (name: string) => Number(lines.get(name))
  t.equal(figure('gatehouse_decisions_total{outcome="deny",reason="unknown_user"}'), 5)
  t.equal(figure('gatehouse_decisions_total{outcome="deny",reason="unknown_project"}'), 1)
  t.equal(figure('gatehouse_http_requests_total{method="POST",route="/check",status="200"}'), 3)
  t.equal(figure('gatehouse_http_requests_total{method="POST",route="/check",status="400"}'), 1)
  t.equal(figure('gatehouse_http_request_duration_seconds_count{method="POST",route="/check"}'), 4)
  t.equal(figure('gatehouse_http_request_duration_seconds_bucket{method="POST",route="/check",le="+Inf"}'), 4)
  t.ok(figure('gatehouse_http_request_duration_seconds_sum{method="POST",route="/check"}') > 0)
  t.equal(figure('gatehouse_snapshot_revision'), revision)
  t.ok(figure('gatehouse_snapshot_age_seconds') >= 0)
  t.equal(figure('gatehouse_policy_rows{kind="user"}'), 2, 'with the anonymous user')
  t.equal(figure('gatehouse_policy_rows{kind="service key"}'), 3)
  t.ok(figure('process_resident_memory_bytes') > 0)
})

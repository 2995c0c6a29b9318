/**
 * Who may import whom: `http` -> `sessions` -> `domain` decides -> `storage` and `temporal` act.
 * Each layer below names everything that it may import; whatever it does not name is refused.
 */
const npm = (name) => `(^|/)node_modules/${name}/`;
const ownModules = {
  domain: '^src/domain/',
  ports: '^src/sessions/(ports|waitpoint-ports)\\.ts$',
  facts: '^src/observe/facts\\.ts$',
  deadline: '^src/deadline\\.ts$',
  recentMap: '^src/recent-map\\.ts$',
};
const { domain, ports, facts, deadline, recentMap } = ownModules;
const nodeCore = { dependencyTypesNot: ['core'] };

/** @param {string} name @param {string} from @param {{ to: string[], node?: boolean }} may */
function layer(name, from, may) {
  return {
    name,
    severity: 'error',
    from: { path: from },
    to: { pathNot: [from, ...may.to], ...(may.node ? nodeCore : {}) },
  };
}

const layers = [
  layer('domain-is-pure', domain, { to: [] }),
  layer('sessions-ask-the-domain-and-ports', '^src/sessions/', { to: [domain, facts, deadline, recentMap, '^crypto$'] }),
  layer('http-parses-and-calls-sessions', '^src/http/', {
    to: [
      domain,
      facts,
      '^src/(sessions|streams|tokens)/',
      npm('koa'),
      npm('@koa/router'),
      npm('@types/koa[a-z_]*'),
      npm('zod'),
      npm('swagger-ui-dist'),
    ],
    node: true,
  }),
  layer('streams-stay-below-http', '^src/streams/', {
    to: [domain, ports, facts, deadline, recentMap, '^src/storage/database\\.ts$'],
    node: true,
  }),
  layer('s2-fronts-the-streams', '^src/s2/', {
    to: [domain, facts, deadline, '^src/(streams|tokens)/', npm('@protobuf-ts/runtime'), npm('zod')],
    node: true,
  }),
  layer('storage-implements-ports', '^src/storage/', {
    to: [
      domain,
      ports,
      facts,
      deadline,
      recentMap,
      npm('pg'),
      npm('pg-[a-z-]+'),
      npm('@types/pg'),
      npm('@electric-sql/pglite'),
      npm('aws4fetch'),
      npm('rate-limiter-flexible'),
    ],
    node: true,
  }),
  layer('temporal-implements-ports', '^src/temporal/', {
    to: [
      domain,
      ports,
      facts,
      deadline,
      recentMap,
      '^workflows/(messages|search-attributes)\\.ts$',
      '^src/live-process\\.ts$',
      npm('@temporalio/(activity|client|common|proto|worker)'),
    ],
    node: true,
  }),
  layer('tasks-need-no-server-code', '^src/tasks/', {
    to: [
      domain,
      deadline,
      npm('@temporalio/(activity|client|common|worker)'),
      npm('eventsource-parser'),
      npm('tsx'),
      npm('zod'),
    ],
    node: true,
  }),
  layer('tokens-sign-and-verify', '^src/tokens/', { to: [domain, ports, deadline, npm('jose')], node: true }),
  layer('observe-turns-facts-into-logs', '^src/observe/', { to: [domain, npm('pino(-pretty)?')], node: true }),
  layer('config-reads-the-environment', '^src/config\\.ts$', { to: [domain, npm('zod')], node: true }),
  layer('activities-carry-out-ports', '^activities/', {
    to: [domain, ports, facts, npm('@temporalio/(activity|common)')],
  }),
  layer('examples-use-the-public-module', '^examples/', { to: ['^src/tasks/', npm('@trigger\\.dev/sdk')], node: true }),
];

/** Activities reach a workflow as types alone: their code never enters the sandbox. */
const workflowLayers = [
  layer('workflows-only-coordinate', '^workflows/', {
    to: [domain, '^activities/', npm('@temporalio/(workflow|common)')],
  }),
  {
    name: 'workflows-take-activities-by-type',
    severity: 'error',
    from: { path: '^workflows/' },
    to: { path: '^activities/', dependencyTypesNot: ['type-only'] },
  },
];

const hygiene = [
  { name: 'no-cycle', severity: 'error', from: {}, to: { circular: true } },
  {
    name: 'no-orphan',
    severity: 'error',
    from: { orphan: true, path: '^(src|workflows|activities)/', pathNot: '\\.d\\.ts$' },
    to: {},
  },
  { name: 'no-unresolvable', severity: 'error', from: {}, to: { couldNotResolve: true } },
  {
    name: 'product-code-needs-no-test-code',
    severity: 'error',
    from: { path: '^(src|workflows|activities)/' },
    to: { path: '^(test|bench|examples|scripts)/' },
  },
  {
    name: 'product-code-needs-no-dev-dependency',
    severity: 'error',
    from: { path: '^(src|workflows|activities)/' },
    to: { dependencyTypes: ['npm-dev', 'npm-no-pkg', 'npm-unknown'], pathNot: npm('@types/[a-z0-9_-]+') },
  },
];

module.exports = {
  forbidden: [...layers, ...workflowLayers, ...hygiene],
  options: {
    doNotFollow: { path: 'node_modules' },
    exclude: { path: '^test/tidy/violations/' },
    tsPreCompilationDeps: true,
    tsConfig: { fileName: 'tsconfig.json' },
    enhancedResolveOptions: { exportsFields: ['exports'], conditionNames: ['types', 'import', 'node', 'default'] },
  },
};

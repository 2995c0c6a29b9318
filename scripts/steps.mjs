/**
 * What the gate runs, one record per tool. test/tidy/violations.test.ts runs the same records on planted offences,
 * so a step that stops seeing anything fails there.
 */

/**
 * @typedef {object} Step
 * @property {string} name
 * @property {readonly string[]} command a program of node_modules/.bin, or `node` or `npm`, and its arguments
 * @property {RegExp} [scanned] must match the output with a count above 0: a tool that looked at nothing has not passed
 * @property {RegExp} [skipped] output that says the step could not look; counted as skipped, not as passed
 * @property {string} [project] a vitest project: its tests are counted one by one
 * @property {boolean} [live] shows its output as it comes, and runs alone
 * @property {number} [timeoutMinutes] default 5
 */

export const sources = ['src', 'workflows', 'activities', 'test', 'bench', 'examples', 'scripts'];
const rootFiles = ['biome.json', 'knip.json', 'tsconfig.json', 'tsconfig.build.json', 'vitest.config.ts'];

/** @param {readonly string[]} paths @returns {Step} */
export const format = (paths) => ({
  name: 'format',
  command: ['biome', 'check', '--colors=off', '--error-on-warnings', '--reporter=summary', ...paths],
  scanned: /Checked (\d+) files?/,
});

/** @param {readonly string[]} paths @returns {Step} */
export const lint = (paths) => ({
  name: 'lint',
  command: ['oxlint', '--type-aware', '--deny-warnings', ...paths],
  scanned: / on (\d+) files? with/,
});

/** @param {readonly string[]} paths @returns {Step} */
export const boundaries = (paths) => ({
  name: 'boundaries',
  command: ['depcruise', ...paths],
  scanned: /(\d+) modules, [1-9]\d* dependencies cruised/,
});

/** @type {Step} */
export const types = {
  name: 'types',
  command: ['tsc', '--noEmit', '--pretty', 'false', '--diagnostics', '-p', 'tsconfig.json'],
  scanned: /^Files: +(\d+)/m,
};

/** @type {Step} */
export const deadCode = { name: 'dead-code', command: ['knip', '--no-progress', '--no-config-hints'] };

/** @type {Step} */
const unit = { name: 'unit', command: ['vitest', 'run', '--project', 'unit'], project: 'unit' };

/** @type {Step} */
const build = { name: 'build', command: ['node', 'scripts/build.mjs'] };

/** @type {Step} */
export const audit = { name: 'audit', command: ['node', 'scripts/audit.mjs'], skipped: /^audit skipped/m };

/** @type {Step} */
const engine = {
  name: 'engine',
  command: ['vitest', 'run', '--project', 'engine'],
  project: 'engine',
  live: true,
  timeoutMinutes: 75,
};

/** `npm run check`: under a minute and without any engine. The slowest first, so that two at a time end early. */
export const checkSteps = [
  unit,
  types,
  lint(sources),
  boundaries(sources),
  deadCode,
  format([...sources, ...rootFiles]),
];

/** `npm test`: everything. */
export const allSteps = [...checkSteps, audit, build, engine];

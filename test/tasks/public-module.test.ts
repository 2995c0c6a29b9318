/** `perdure/tasks` as the program of a customer imports it: by the package's name, from what was built. */
import { execFile, spawnSync } from 'node:child_process';
import { existsSync, readFileSync } from 'node:fs';
import { fileURLToPath } from 'node:url';
import { promisify } from 'node:util';
import { expect, test } from 'vitest';
import * as sources from '../../src/tasks/index.ts';

const repository = fileURLToPath(new URL('../../', import.meta.url));
const isBuilt = spawnSync(process.execPath, ['scripts/build.mjs', '--check'], { cwd: repository }).status === 0;
if (!isBuilt) console.warn('dist is not what these sources build to: the built module is left untested.');

// The gate builds before it tests, so in CI a stale dist is a failure.
test.skipIf(!isBuilt && !process.env['CI'])('perdure/tasks has all that the sources export, and works', async () => {
  const program = `
    import * as tasks from 'perdure/tasks';
    const task = tasks.defineTask({ id: 'mine', run: () => 'done' });
    const problems = await tasks.startTaskWorker({ tasks: [task, tasks.defineTask({ id: 'mine', run: () => 1 })], secretKey: 'none' })
      .catch((error) => error instanceof tasks.InvalidWorkerOptions && error.problems);
    console.log(JSON.stringify({ names: Object.keys(tasks).sort(), problems }));`;
  const { stdout } = await promisify(execFile)(process.execPath, ['--input-type=module', '--eval', program], {
    cwd: repository,
  });
  const { names, problems } = JSON.parse(stdout) as { names: string[]; problems: string[] };
  expect(names).toEqual(Object.keys(sources).sort());
  expect(problems).toEqual(['tasks: two tasks have the id mine', expect.stringContaining('TRIGGER_SECRET_KEY')]);
});

test.skipIf(!isBuilt && !process.env['CI'])('its types are where package.json says', () => {
  const { exports } = JSON.parse(readFileSync(`${repository}package.json`, 'utf8')) as {
    exports: Record<string, Record<string, string>>;
  };
  const missing = Object.values(exports).flatMap((conditions) =>
    Object.values(conditions).filter((path) => !existsSync(`${repository}${path}`)),
  );
  expect(missing).toEqual([]);
});

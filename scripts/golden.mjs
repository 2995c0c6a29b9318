/**
 * Rewrites the golden files: runs every suite that compares with one, and lets vitest write what it finds now.
 * The diff is then reviewed. Recorded workflow histories are no golden files: they are added to, never rewritten.
 */
import { readdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { runStep } from './run-step.mjs';

const suites = readdirSync('test', { recursive: true, encoding: 'utf8' })
  .filter((path) => path.endsWith('.test.ts') && !path.startsWith(join('tidy', '')))
  .map((path) => join('test', path))
  .filter((path) => readFileSync(path, 'utf8').includes('toMatchFileSnapshot('));

if (suites.length === 0) {
  console.log('No suite compares with a golden file.');
} else {
  // The flag comes last: it takes the word after it for its own value.
  const command = ['vitest', 'run', ...suites, '--update'];
  const { ok } = await runStep({ name: 'golden', command, live: true, timeoutMinutes: 20 });
  process.exitCode = Number(!ok);
}

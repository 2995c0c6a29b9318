/** Packages of Python for tests that run a program of it, from a cache of the repository. */
import { execFile } from 'node:child_process';
import { createHash } from 'node:crypto';
import { existsSync } from 'node:fs';
import { mkdir, mkdtemp, readFile, rename, rm } from 'node:fs/promises';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { promisify } from 'node:util';

const run = promisify(execFile);
const cache = fileURLToPath(new URL('../../node_modules/.cache/perdure-python', import.meta.url));
export const installTimeoutMs = 300_000;

/** Why there can be no Python program on this machine; null when there can. */
export async function whyNoPython(): Promise<string | null> {
  for (const [program, ...programArguments] of [
    ['python3', '--version'],
    ['python3', '-m', 'pip', '--version'],
  ] as const) {
    try {
      await run(program, programArguments);
    } catch {
      return `${[program, ...programArguments].join(' ')} does not work`;
    }
  }
  return null;
}

/** The folder for `PYTHONPATH`; made once for each Python and each list of requirements. */
export async function installPython(requirementsFile: string): Promise<string> {
  const { stdout: version } = await run('python3', ['--version']);
  const key = createHash('sha256')
    .update(version)
    .update(await readFile(requirementsFile))
    .digest('hex')
    .slice(0, 16);
  const installed = join(cache, key);
  if (existsSync(installed)) return installed;
  await mkdir(cache, { recursive: true });
  // Filled beside its place: an installation that breaks off leaves nothing that looks complete.
  const filling = await mkdtemp(join(cache, 'filling-'));
  try {
    const pip = ['-m', 'pip', 'install', '--quiet', '--no-input', '--disable-pip-version-check'];
    await run('python3', [...pip, '--target', filling, '-r', requirementsFile], { timeout: installTimeoutMs });
    await rename(filling, installed);
  } catch (thrown) {
    await rm(filling, { recursive: true, force: true });
    if (!existsSync(installed)) throw thrown;
  }
  return installed;
}

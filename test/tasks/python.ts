/** `examples/python/worker.py` in a process of its own, with Temporal's Python SDK from a cache of the repository. */
import { type ChildProcess, execFile, spawn } from 'node:child_process';
import { createHash } from 'node:crypto';
import { once } from 'node:events';
import { existsSync } from 'node:fs';
import { mkdir, mkdtemp, readFile, rename, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { createInterface } from 'node:readline';
import { fileURLToPath } from 'node:url';
import { promisify } from 'node:util';
import { endWithUs } from '../harness/private-temporal.ts';
import { commonVariables } from '../harness/processes.ts';
import { type Site, siteEnvironment } from '../harness/server.ts';

export interface PythonWorker {
  readonly pid: number;
  /** SIGKILL; resolves when it is gone. */
  kill(): Promise<void>;
}

const run = promisify(execFile);
const repository = fileURLToPath(new URL('../../', import.meta.url));
const requirementsFile = join(repository, 'examples/python/requirements.txt');
const installTimeoutMs = 300_000;

/** Why there can be no Python worker on this machine; null when there can. */
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

/** Folder with what the example requires; made once for each Python and each list of requirements. */
export async function installedPackages(): Promise<string> {
  const { stdout: version } = await run('python3', ['--version']);
  const key = createHash('sha256')
    .update(version)
    .update(await readFile(requirementsFile))
    .digest('hex')
    .slice(0, 16);
  const cache = join(repository, 'node_modules/.cache/perdure-python');
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

/** Resolves when it takes runs of the task. */
export async function startPythonWorker(site: Site, task: string): Promise<PythonWorker> {
  const folder = await mkdtemp(join(tmpdir(), 'perdure-python-'));
  const { TEMPORAL_ADDRESS = '', TEMPORAL_NAMESPACE = '' } = siteEnvironment(site);
  const child = spawn('python3', [join(repository, 'examples/python/worker.py')], {
    stdio: ['ignore', 'pipe', 'inherit'],
    env: {
      ...commonVariables(),
      PYTHONPATH: await installedPackages(),
      PYTHONDONTWRITEBYTECODE: '1',
      TASK: task,
      TRIGGER_SECRET_KEY: site.devKey,
      TEMPORAL_ADDRESS,
      TEMPORAL_NAMESPACE,
    },
  });
  const { pid } = child;
  if (pid === undefined) throw new Error('python3 could not be started');
  const release = endWithUs(pid, folder);
  const exited = once(child, 'exit');
  await Promise.race([saysReady(child), exited.then(() => Promise.reject(new Error('the Python worker ended')))]);
  return {
    pid,
    async kill() {
      child.kill('SIGKILL');
      await exited;
      release();
      await rm(folder, { recursive: true, force: true });
    },
  };
}

async function saysReady({ stdout }: ChildProcess): Promise<void> {
  if (stdout === null) throw new Error('the Python worker has no output');
  for await (const line of createInterface({ input: stdout })) {
    if (line.startsWith('tasks ready')) return;
  }
}

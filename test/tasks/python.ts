/** `examples/python/worker.py` in a process of its own, with Temporal's Python SDK from a cache of the repository. */
import { type ChildProcess, spawn } from 'node:child_process';
import { once } from 'node:events';
import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { createInterface } from 'node:readline';
import { fileURLToPath } from 'node:url';
import { endWithUs } from '../harness/private-temporal.ts';
import { commonVariables } from '../harness/processes.ts';
import { installPython } from '../harness/python-packages.ts';
import { type Site, siteEnvironment } from '../harness/server.ts';

export interface PythonWorker {
  readonly pid: number;
  /** SIGKILL; resolves when it is gone. */
  kill(): Promise<void>;
}

const repository = fileURLToPath(new URL('../../', import.meta.url));
const requirementsFile = join(repository, 'examples/python/requirements.txt');

/** Folder with what the example requires. */
export const installedPackages = (): Promise<string> => installPython(requirementsFile);

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

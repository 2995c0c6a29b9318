/** A real nginx in front of an API: own folder, own ports, everything else as Debian ships it. */
import { type ChildProcess, spawn, spawnSync } from 'node:child_process';
import { once } from 'node:events';
import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { vi } from 'vitest';
import { freePort } from './free-port.ts';

/** Null where there is none; `.ci/run` installs it. The folder is not on the path of everybody. */
export const nginxBinary: string | null =
  ['nginx', '/usr/sbin/nginx'].find((binary) => spawnSync(binary, ['-v']).status === 0) ?? null;

export interface Nginx {
  /** Of each site, in order. */
  readonly urls: readonly string[];
  /** As a crash: connections are cut. */
  kill(): Promise<void>;
  /** Again, after it was killed. */
  start(): Promise<void>;
  remove(): Promise<void>;
}

/** @param sites what is said inside of `http`, one by one, around the port that it is given */
export async function startNginx(sites: readonly ((port: number) => string)[]): Promise<Nginx> {
  const folder = await mkdtemp(join(tmpdir(), 'perdure-nginx-'));
  const ports = await Promise.all(sites.map(() => freePort()));
  const configuration = join(folder, 'nginx.conf');
  await writeFile(
    configuration,
    configurationOf(
      folder,
      sites.map((site, index) => site(ports[index] ?? 0)),
    ),
  );
  let server: ChildProcess | null = null;
  const urls = ports.map((port) => `http://127.0.0.1:${port}`);

  async function start(): Promise<void> {
    if (nginxBinary === null) throw new Error('there is no nginx on this machine');
    const started = spawn(nginxBinary, ['-p', folder, '-c', configuration, '-e', 'stderr'], {
      stdio: ['ignore', 'ignore', 'inherit'],
    });
    server = started;
    await vi.waitFor(async () => {
      if (started.exitCode !== null) throw new Error('nginx refused its configuration');
      await Promise.all(urls.map((url) => fetch(`${url}/healthz`)));
    }, 15_000);
  }

  async function kill(): Promise<void> {
    if (server === null || server.exitCode !== null || server.signalCode !== null) return;
    // Fast shutdown: the master takes its worker along, which SIGKILL would leave behind.
    server.kill('SIGTERM');
    await once(server, 'exit');
  }

  await start();
  return {
    urls,
    start,
    kill,
    async remove() {
      await kill();
      await rm(folder, { recursive: true, force: true });
    },
  };
}

function configurationOf(folder: string, sites: readonly string[]): string {
  const temporary = ['client_body', 'proxy', 'fastcgi', 'uwsgi', 'scgi'];
  return `daemon off;
    pid ${folder}/nginx.pid;
    error_log stderr error;
    ${process.getuid?.() === 0 ? 'user root root;' : ''}
    worker_processes 1;
    events { worker_connections 512; }
    http {
      access_log off;
      ${temporary.map((kind) => `${kind}_temp_path ${folder}/${kind};`).join('\n')}
      ${sites.join('\n')}
    }`;
}

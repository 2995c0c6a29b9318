#!/usr/bin/env node
import { Command } from 'commander';
import { type Config, readConfig } from './config.ts';
import { startDemo } from './demo.ts';
/** The command `perdure`. */
import { productVersion } from './domain/version.ts';
import { addKeysCommand } from './keys-command.ts';
import { startServer } from './main.ts';
import { createLog, type Log } from './observe/log.ts';
import { openRows } from './open-rows.ts';
import { createStopStack } from './stop-stack.ts';
import { serveTaskFiles } from './tasks/serve-task-files.ts';
import { welcome } from './welcome.ts';

interface Role {
  readonly api: boolean;
  readonly sessionWorker: boolean;
  readonly demo: boolean;
}

/** A stop that takes longer than all parts' own deadlines together is a bug; the process does not linger. */
const stopDeadlineMs = 60_000;
/** npm passes on to us what a supervisor has sent to its whole group already, a millisecond later. */
const echoMs = 500;

const program = new Command('perdure')
  .description('Durable sessions on Temporal and PostgreSQL.')
  .version(productVersion);

program
  .command('start')
  .description('everything in one process: Temporal, PostgreSQL, API, session worker, and a demo task')
  .option('--no-demo', 'leave the demo task out')
  .action((options: { demo: boolean }) => run({ api: true, sessionWorker: true, demo: options.demo }));

program
  .command('api')
  .description('the API, with a session worker in the same process')
  .option('--no-worker', 'leave session workflows to `perdure worker`; creates then start a little later')
  .action((options: { worker: boolean }) => run({ api: true, sessionWorker: options.worker, demo: false }));

program
  .command('worker')
  .description('a session worker alone')
  .action(() => run({ api: false, sessionWorker: true, demo: false }));

program
  .command('tasks')
  .description('serve the tasks that these files export')
  .argument('<file...>', 'JavaScript or TypeScript modules')
  .action(serveTasks);

program.command('migrate').description('bring the database to this version’s schema').action(migrateOnly);

addKeysCommand(program, loadConfig);

async function run(role: Role): Promise<void> {
  const config = loadConfig();
  const log = logOf(config);
  const stopping = stopSignal();
  const server = await startServer({
    config,
    roles: role,
    log,
    onProgress: (line) => log.info(line),
    onFatal: (reason) => stopping.abort(new Error(reason)),
  });
  const demo = role.demo ? startDemo({ config, server, log }) : null;
  if (role.demo) process.stdout.write(welcome(server));
  await stopping.requested;
  log.info('stopping');
  const overdue = setTimeout(() => process.exit(1), stopDeadlineMs);
  await demo?.stop();
  await server.stop();
  clearTimeout(overdue);
  log.info('stopped');
  // Native parts keep handles of their own; nothing of ours is left to do.
  process.exit(stopping.failed() ? 1 : 0);
}

/** The first SIGINT or SIGTERM asks for an orderly stop; a later one, but no echo of the first, does not wait for it. */
function stopSignal() {
  let failure: Error | null = null;
  let request: () => void = () => undefined;
  const requested = new Promise<void>((resolve) => {
    request = resolve;
  });
  let askedAt: number | null = null;
  const onSignal = () => {
    if (askedAt !== null && performance.now() - askedAt > echoMs) process.exit(130);
    askedAt ??= performance.now();
    request();
  };
  process.on('SIGINT', onSignal);
  process.on('SIGTERM', onSignal);
  return {
    requested,
    failed: () => failure !== null,
    abort(reason: Error) {
      failure = reason;
      request();
    },
  };
}

async function serveTasks(files: readonly string[]): Promise<void> {
  // Only with a parent that opened a channel, as the demo's does: when that one is gone, nobody else stops us.
  process.once('disconnect', () => process.kill(process.pid, 'SIGTERM'));
  await serveTaskFiles(
    files,
    process.env,
    createLog({ level: process.env['LOG_LEVEL'] ?? 'info', format: logFormat() }),
  );
  process.exit(0);
}

async function migrateOnly(): Promise<void> {
  const config = loadConfig();
  const log = logOf(config);
  const stops = createStopStack(({ part, error }) => log.warn({ part, error }, 'a part did not stop in order'));
  await openRows({ config, log, onProgress: (line) => log.info(line) }, stops);
  await stops.stop();
  log.info('the schema is up to date');
  process.exit(0);
}

function loadConfig(): Config {
  const read = readConfig(process.env);
  if (read.ok) return read.config;
  process.stderr.write(
    `perdure cannot start with these settings:\n${read.problems.map((problem) => `  ${problem}\n`).join('')}`,
  );
  process.exit(2);
}

function logOf(config: Config): Log {
  return createLog({ level: config.logLevel, format: config.logFormat });
}

function logFormat(): 'json' | 'pretty' | null {
  const format = process.env['LOG_FORMAT'];
  return format === 'json' || format === 'pretty' ? format : null;
}

function refuse(thrown: unknown): never {
  const text = thrown instanceof Error ? thrown.message : String(thrown);
  process.stderr.write(`perdure: ${text}\n`);
  if (process.env['LOG_LEVEL'] === 'debug' && thrown instanceof Error) process.stderr.write(`${thrown.stack}\n`);
  process.exit(1);
}

program.parseAsync().catch((thrown: unknown) => refuse(thrown));

/** `perdure keys`: the keys of an installation, straight in its database. */
import { type Command, Option } from 'commander';
import type { Config } from './config.ts';
import { type EnvironmentName, environmentNames } from './domain/ids.ts';
import { rotationGraceDefaultSeconds } from './domain/limits.ts';
import { FolderInUse, takeInstanceLock } from './instance-lock.ts';
import { createLog } from './observe/log.ts';
import { encryptionKeysOf, keyChangesChannel } from './open-keys.ts';
import { openRows } from './open-rows.ts';
import { newEnvironmentId } from './sessions/new-ids.ts';
import { createStopStack } from './stop-stack.ts';
import { sqlKeyRegister } from './storage/key-register.ts';
import { createKeyStore } from './storage/key-store.ts';
import { expirationSeconds } from './tokens/expiration-time.ts';
import {
  createKey,
  type KeepKeysDeps,
  type ListedKey,
  type MadeKey,
  resealKeys,
  revokeKey,
  rotateKey,
} from './tokens/keep-keys.ts';
import { createSealer } from './tokens/seal.ts';

interface Answer {
  /** What a script wants, alone: it goes to standard output. */
  readonly text: string;
  /** What a person wants besides; it goes to standard error. */
  readonly note?: string;
  readonly json: unknown;
}

interface CreateOptions extends JsonOption {
  readonly env: EnvironmentName;
  readonly root?: true;
  readonly scope?: readonly string[];
  readonly name?: string;
}

interface JsonOption {
  readonly json?: true;
}

/** @param loadConfig ends the process when a setting is bad */
export function addKeysCommand(program: Command, loadConfig: () => Config): void {
  const keys = program.command('keys').description('create, list, rotate and revoke keys');
  const answer = async ({ json }: JsonOption, work: (deps: KeepKeysDeps) => Promise<Answer>) => {
    tell(await withKeys(loadConfig(), work), json === true);
    process.exit(0);
  };
  keys
    .command('create')
    .description('make a key and print it, for the only time')
    .addOption(new Option('--env <environment>', 'that it opens').choices(environmentNames).makeOptionMandatory())
    .addOption(new Option('--root', 'it may do everything there, and clients sign tokens with it').conflicts('scope'))
    .option('--scope <scope...>', 'an additional key that may do this alone, for example read:sessions')
    .option('--name <name>', 'what it is for')
    .option('--json', 'one JSON object')
    .action((options: CreateOptions) => answer(options, (deps) => create(deps, options)));
  keys
    .command('list')
    .description('all keys, without their text')
    .option('--json', 'a JSON array')
    .action((options: JsonOption) => answer(options, list));
  keys
    .command('rotate')
    .description('make a key’s successor and print it; the old one ends after the grace')
    .argument('<id>', 'of the key, as `list` shows it')
    .option('--grace <duration>', 'how long the old key goes on', `${rotationGraceDefaultSeconds / 3_600}h`)
    .option('--json', 'one JSON object')
    .action((id: string, options: JsonOption & { grace: string }) =>
      answer(options, (deps) => rotate(deps, id, options.grace)),
    );
  keys
    .command('revoke')
    .description('end a key, and all that rests on it, within seconds')
    .argument('<id>', 'of the key, as `list` shows it')
    .option('--last', 'also if its environment is then without a root key')
    .option('--json', 'one JSON object')
    .action((id: string, options: JsonOption & { last?: true }) =>
      answer(options, (deps) => revoke(deps, id, options.last === true)),
    );
  keys
    .command('reseal')
    .description('bring all root keys under the first key of ENCRYPTION_KEY')
    .option('--json', 'one JSON object')
    .action((options: JsonOption) => answer(options, reseal));
}

async function create(deps: KeepKeysDeps, { env: environment, root, scope, name }: CreateOptions): Promise<Answer> {
  if (root === undefined && scope === undefined)
    throw new Error('Say what the key may do: --root, or --scope <scope>.');
  const made = await createKey(deps, { environment, name: name ?? null, scopes: scope ?? null });
  return { text: made.key, note: `${kindOf(made)} ${made.id} of ${environment}. It is shown this once.`, json: made };
}

async function rotate(deps: KeepKeysDeps, keyId: string, grace: string): Promise<Answer> {
  const graceSeconds = expirationSeconds(grace, 0);
  if (graceSeconds === null) throw new Error('--grace: expected a duration such as 24h, 90m or 0s');
  const made = await rotateKey(deps, { keyId, graceSeconds });
  const fate = graceSeconds === 0 ? 'is over' : `is good for another ${grace}, and tokens under it with it`;
  return { text: made.key, note: `${kindOf(made)} ${made.id}, shown this once. ${keyId} ${fate}.`, json: made };
}

async function revoke(deps: KeepKeysDeps, keyId: string, evenLast: boolean): Promise<Answer> {
  await revokeKey(deps, keyId, evenLast);
  return { text: `${keyId} is revoked`, json: { id: keyId, revoked: true } };
}

async function reseal(deps: KeepKeysDeps): Promise<Answer> {
  const report = await resealKeys(deps);
  return { text: `${report.resealed} keys sealed anew, ${report.current} were already`, json: report };
}

async function list({ register }: KeepKeysDeps): Promise<Answer> {
  const keys = (await register.list()).map(keyJson);
  const lines = keys.map(({ id, environment, kind, state, createdAt, fingerprint, name, scopes }) =>
    [id, environment.padEnd(7), kind.padEnd(10), createdAt.slice(0, 10), fingerprint, state, name, ...(scopes ?? [])]
      .filter((part) => part !== null)
      .join('  '),
  );
  return { text: lines.join('\n'), json: keys };
}

/** The fingerprint lets whoever has a key find its id: `printf %s "$KEY" | sha256sum`. */
const keyJson = ({ graceIsOver, digest, ...key }: ListedKey) => ({
  id: key.id,
  environment: key.environment,
  kind: key.scopes === null ? 'root' : 'additional',
  name: key.name,
  scopes: key.scopes,
  fingerprint: digest.slice(0, 12),
  state: stateOf({ ...key, graceIsOver }),
  createdAt: key.createdAt.toISOString(),
  graceEndsAt: key.graceEndsAt?.toISOString() ?? null,
  revokedAt: key.revokedAt?.toISOString() ?? null,
});

function stateOf({ revokedAt, graceEndsAt, graceIsOver }: Omit<ListedKey, 'digest'>): string {
  if (revokedAt !== null) return 'revoked';
  if (graceEndsAt === null) return 'live';
  return graceIsOver ? 'rotated' : `live until ${graceEndsAt.toISOString()}`;
}

const kindOf = ({ scopes }: Pick<MadeKey, 'scopes'>): string => (scopes === null ? 'Root key' : 'Additional key');

function tell({ text, note, json }: Answer, isJson: boolean): void {
  process.stdout.write(`${isJson ? JSON.stringify(json) : text}\n`);
  if (note !== undefined && !isJson) process.stderr.write(`${note}\n`);
}

async function withKeys<Value>(config: Config, work: (deps: KeepKeysDeps) => Promise<Value>): Promise<Value> {
  // Standard output is for the answer.
  const log = createLog({ level: 'warn', format: 'pretty', destination: process.stderr });
  const stops = createStopStack(({ part, error }) => log.warn({ part, error }, 'a part did not stop in order'));
  try {
    await lockEmbedded(config, (release) => stops.push('instance lock', release, 2_000));
    const onProgress = (line: string) => void process.stderr.write(`${line}\n`);
    const { database } = await openRows({ config, log, onProgress }, stops);
    const register = sqlKeyRegister(database);
    const store = createKeyStore({ database, newEnvironmentId });
    const value = await work({ register, store, sealer: createSealer(await encryptionKeysOf(config)) });
    await database.notify(keyChangesChannel, '');
    return value;
  } finally {
    await stops.stop();
  }
}

async function lockEmbedded(config: Config, push: (release: () => Promise<void>) => void): Promise<void> {
  if (config.databaseUrl !== null) return;
  try {
    const lock = await takeInstanceLock(config.dataDir);
    push(() => lock.release());
  } catch (thrown) {
    if (!(thrown instanceof FolderInUse)) throw thrown;
    throw new Error(
      `The embedded database in ${config.dataDir} is open in a running Perdure, and only one process can have it. ` +
        'Stop that one, run this command again, then start it again; sessions and runs go on. ' +
        'With DATABASE_URL keys can be changed while everything runs.',
      { cause: thrown },
    );
  }
}

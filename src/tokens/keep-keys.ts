/** What operators do with keys. Refusals are thrown as sentences for them. No text of a key is told but that of a new one. */
import type { EnvironmentId, EnvironmentName } from '../domain/ids.ts';
import { keyNameLengthMax, rotationGraceMaxSeconds, tokenScopeLengthMax, tokenScopesMax } from '../domain/limits.ts';
import { isScope } from '../domain/scope.ts';
import { additionalKeyOf, type NewKey, newAdditionalKeyText, newRootKeyText, rootKeyOf } from './new-key.ts';
import type { Sealer } from './seal.ts';

export interface ListedKey {
  readonly id: string;
  readonly environment: EnvironmentName;
  /** SHA-256 of its text, in hexadecimal. */
  readonly digest: string;
  readonly name: string | null;
  /** Null for a root key. */
  readonly scopes: readonly string[] | null;
  readonly createdAt: Date;
  readonly revokedAt: Date | null;
  /** Of a key that was rotated. */
  readonly graceEndsAt: Date | null;
  readonly graceIsOver: boolean;
}

type FoundKey = Pick<ListedKey, 'environment' | 'name' | 'scopes'> & { readonly environmentId: EnvironmentId };

/** Each method is one transaction, safe to race with another process. */
export interface KeyRegister {
  /** False when the environment has no root key to sign with. */
  insertAdditionalKey(key: NewKey): Promise<boolean>;
  list(): Promise<readonly ListedKey[]>;
  find(id: string): Promise<FoundKey | null>;
  /** False when it was rotated already, or is revoked. */
  rotate(order: {
    readonly keyId: string;
    readonly successor: NewKey;
    readonly graceSeconds: number;
  }): Promise<boolean>;
  revoke(order: {
    readonly keyId: string;
    readonly environmentId: EnvironmentId;
    readonly evenLast: boolean;
  }): Promise<'revoked' | 'last'>;
  listSealed(): Promise<readonly { readonly id: string; readonly sealed: Uint8Array }[]>;
  reseal(keyId: string, from: Uint8Array, to: Uint8Array): Promise<void>;
}

export interface KeepKeysDeps {
  readonly register: KeyRegister;
  readonly store: {
    ensureEnvironment(name: EnvironmentName): Promise<EnvironmentId>;
    insertKey(key: NewKey): Promise<void>;
  };
  readonly sealer: Sealer;
}

export interface CreateKeyOrder {
  readonly environment: EnvironmentName;
  readonly name: string | null;
  /** Null: a root key. */
  readonly scopes: readonly string[] | null;
}

export interface MadeKey extends CreateKeyOrder {
  readonly id: string;
  /** Its text, for the only time. */
  readonly key: string;
}

export async function createKey(deps: KeepKeysDeps, order: CreateKeyOrder): Promise<MadeKey> {
  const { environment, name, scopes } = order;
  refuseLongName(name);
  if (scopes !== null) refuseBadScopes(scopes);
  const environmentId = await deps.store.ensureEnvironment(environment);
  const { key, made } = makeKey(deps.sealer, { ...order, environmentId });
  if (scopes === null) await deps.store.insertKey(key);
  else if (!(await deps.register.insertAdditionalKey(key))) {
    throw new Error(
      `The environment ${environment} has no root key, and tokens are signed with one: create it first (--root).`,
    );
  }
  return made;
}

export interface RotatedKey extends MadeKey {
  readonly replaces: string;
  readonly graceSeconds: number;
}

/** A successor with the same name and scopes. The old key is good until its grace ends, then for nothing. */
export async function rotateKey(
  deps: KeepKeysDeps,
  { keyId, graceSeconds }: { readonly keyId: string; readonly graceSeconds: number },
): Promise<RotatedKey> {
  if (!Number.isInteger(graceSeconds) || graceSeconds < 0 || graceSeconds > rotationGraceMaxSeconds) {
    throw new Error(`The grace of a rotated key is from 0 s to ${rotationGraceMaxSeconds / 86_400} days.`);
  }
  const found = await findKey(deps.register, keyId);
  const { key: successor, made } = makeKey(deps.sealer, found);
  if (await deps.register.rotate({ keyId, successor, graceSeconds })) return { ...made, replaces: keyId, graceSeconds };
  throw new Error(`${keyId} was rotated or revoked before; \`perdure keys list\` shows its state.`);
}

/** What rests on it, open tails included, ends with it. Revoking twice is revoking once. */
export async function revokeKey(deps: KeepKeysDeps, keyId: string, evenLast: boolean): Promise<void> {
  const { environment, environmentId } = await findKey(deps.register, keyId);
  if ((await deps.register.revoke({ keyId, environmentId, evenLast })) === 'revoked') return;
  throw new Error(
    `${keyId} is the last root key of ${environment}. Replace it at once with \`perdure keys rotate ${keyId} --grace 0s\`, ` +
      'or, to close the environment, revoke it with --last.',
  );
}

export interface ResealReport {
  readonly resealed: number;
  /** Under the newest encryption key already. */
  readonly current: number;
}

/** Brings every sealed key under the newest encryption key; those before it can be dropped afterwards. */
export async function resealKeys({ register, sealer }: KeepKeysDeps): Promise<ResealReport> {
  const rows = await register.listSealed();
  const opened = rows.map((row) => ({ ...row, opened: sealer.open(row.sealed, row.id) }));
  const unreadable = opened.filter((row) => row.opened === null).map(({ id }) => id);
  // All or none: a key that stays behind would be lost with the encryption key that is dropped next.
  if (unreadable.length > 0) {
    throw new Error(`ENCRYPTION_KEY does not open ${unreadable.join(', ')}: add the key that sealed them to its end.`);
  }
  let resealed = 0;
  for (const row of opened) {
    if (row.opened?.isOutdated !== true) continue;
    await register.reseal(row.id, row.sealed, sealer.seal(row.opened.secretKey, row.id));
    resealed += 1;
  }
  return { resealed, current: rows.length - resealed };
}

async function findKey(register: KeyRegister, keyId: string): Promise<FoundKey> {
  const found = await register.find(keyId);
  if (found !== null) return found;
  // Whoever passes the key itself by mistake does not find it in a log.
  const isId = /^key_[a-z0-9]{1,64}$/.test(keyId);
  throw new Error(
    isId ? `There is no key ${keyId}.` : 'Expected the id of a key (key_...), as `perdure keys list` shows it.',
  );
}

function makeKey(sealer: Sealer, { environment, environmentId, name, scopes }: FoundKey) {
  const text = scopes === null ? newRootKeyText(environment) : newAdditionalKeyText(environment);
  const labels = { environmentId, name };
  const key = scopes === null ? rootKeyOf(text, labels, sealer) : additionalKeyOf(text, labels, scopes);
  return { key, made: { id: key.id, environment, name, scopes, key: text } };
}

function refuseLongName(name: string | null): void {
  const isPlain =
    name === null || (name !== '' && name.length <= keyNameLengthMax && !/[\u0000-\u001f\u007f]/.test(name));
  if (!isPlain) throw new Error(`A name has 1 to ${keyNameLengthMax} characters and no control characters.`);
}

function refuseBadScopes(scopes: readonly string[]): void {
  const bad = scopes.filter((scope) => !isScope(scope) || scope.length > tokenScopeLengthMax || scope.includes('\0'));
  if (bad.length > 0) {
    throw new Error(
      `${bad.join(', ')}: a scope is admin or <read|write|trigger|admin|*>:<type>[:<id>], for example read:sessions:chat_1.`,
    );
  }
  if (scopes.length === 0 || scopes.length > tokenScopesMax)
    throw new Error(`A key has 1 to ${tokenScopesMax} scopes.`);
}

/** Keys as they are made. Their text leaves this process once, to whoever ordered them. */
import { randomBytes, randomInt } from 'node:crypto';
import { type EnvironmentId, type EnvironmentName, idBody } from '../domain/ids.ts';
import { digestOf } from './keys.ts';
import type { Sealer } from './seal.ts';

export interface NewKey {
  readonly id: string;
  readonly environmentId: EnvironmentId;
  readonly digest: Uint8Array;
  readonly sealed: Uint8Array | null;
  readonly name: string | null;
  readonly scopes: readonly string[] | null;
}

export interface KeyLabels {
  readonly environmentId: EnvironmentId;
  readonly name: string | null;
}

export function rootKeyOf(secretKey: string, labels: KeyLabels, sealer: Sealer): NewKey {
  const id = newKeyId();
  return { id, ...labels, digest: digestOf(secretKey), sealed: sealer.seal(secretKey, id), scopes: null };
}

/** Kept by its digest alone: it signs nothing, and 24 of 62 characters leave nothing to guess. */
export const additionalKeyOf = (secretKey: string, labels: KeyLabels, scopes: readonly string[]): NewKey => ({
  id: newKeyId(),
  ...labels,
  digest: digestOf(secretKey),
  sealed: null,
  scopes,
});

export const newRootKeyText = (environment: EnvironmentName): string =>
  `tr_${environment}_${randomBytes(20).toString('hex')}`;

const alphabet = '0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz';
const additionalKeyLength = 24;

/** By its form clients know that it cannot sign (protocol section 2.1). */
export const newAdditionalKeyText = (environment: EnvironmentName): string =>
  `tr_${environment}_sk_${Array.from({ length: additionalKeyLength }, () => alphabet[randomInt(alphabet.length)]).join('')}`;

const newKeyId = (): string => `key_${idBody(Date.now(), randomBytes(16))}`;

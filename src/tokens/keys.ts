/** What a key is: as it is stored, as it opens an environment, and as it signs for one. */
import { hash } from 'node:crypto';
import type { CryptoKey } from 'jose';
import type { Environment } from '../domain/ids.ts';
import type { Grant } from '../domain/scope.ts';

/** A row of `api_keys` that is neither revoked nor past its grace. */
export interface StoredKey {
  readonly id: string;
  readonly environment: Environment;
  /** SHA-256 of the key's text. */
  readonly digest: Uint8Array;
  /** Null for an additional key. */
  readonly sealed: Uint8Array | null;
  /** Null for a root key. */
  readonly scopes: readonly string[] | null;
  /** What is left of its grace, by the database's clock; null for a key that was not rotated. */
  readonly graceMs: number | null;
}

/** What a secret key opens. */
export interface AccessKey {
  readonly id: string;
  readonly environment: Environment;
  readonly kind: 'root' | 'additional';
  readonly grant: Grant;
}

export interface RootKey {
  readonly id: string;
  readonly environment: Environment;
  readonly signingKey: CryptoKey;
}

export interface KeyOwner {
  readonly environment: Environment;
  /** Newest first, then those in the grace of a rotation; never empty. */
  readonly keys: readonly RootKey[];
}

/** Keys are looked up by it, so that no comparison of texts can be timed. */
export const digestOf = (secretKey: string): Buffer => hash('sha256', secretKey, 'buffer');

/** The keys of a site, as its operator changes them beside running servers. */
import { keyChangesChannel } from '../../src/open-keys.ts';
import { newEnvironmentId } from '../../src/sessions/new-ids.ts';
import type { Database } from '../../src/storage/database.ts';
import { sqlKeyRegister } from '../../src/storage/key-register.ts';
import { createKeyStore } from '../../src/storage/key-store.ts';
import { createKey, type MadeKey, type RotatedKey, revokeKey, rotateKey } from '../../src/tokens/keep-keys.ts';
import { digestOf } from '../../src/tokens/keys.ts';
import { createSealer } from '../../src/tokens/seal.ts';
import type { Site } from './server.ts';

export interface SiteKeys {
  additional(...scopes: string[]): Promise<MadeKey>;
  root(environment?: 'dev' | 'prod'): Promise<MadeKey>;
  rotate(keyId: string, graceSeconds: number): Promise<RotatedKey>;
  revoke(keyId: string): Promise<void>;
  idOf(secretKey: string): Promise<string>;
}

export function keysOf(site: Site, database: Database): SiteKeys {
  const register = sqlKeyRegister(database);
  const sealer = createSealer([site.encryptionKey]);
  const deps = { register, store: createKeyStore({ database, newEnvironmentId }), sealer };
  const told = async <Value>(changing: Promise<Value>): Promise<Value> => {
    const value = await changing;
    await database.notify(keyChangesChannel, '');
    return value;
  };
  return {
    additional: (...scopes) => told(createKey(deps, { environment: 'dev', name: null, scopes })),
    root: (environment = 'dev') => told(createKey(deps, { environment, name: null, scopes: null })),
    rotate: (keyId, graceSeconds) => told(rotateKey(deps, { keyId, graceSeconds })),
    revoke: (keyId) => told(revokeKey(deps, keyId, false)),
    async idOf(secretKey) {
      const digest = digestOf(secretKey).toString('hex');
      const key = (await register.list()).find((listed) => listed.digest === digest);
      if (key === undefined) throw new Error('the site has no such key');
      return key.id;
    },
  };
}

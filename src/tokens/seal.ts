/**
 * Root keys at rest. Clients sign tokens with their root key, so its text must be recoverable; it is kept
 * under AES-256-GCM, and the id of its row is authenticated with it, so that rows cannot be swapped.
 * Layout: one byte of version, twelve of nonce, sixteen of tag, then the ciphertext.
 */
import { createCipheriv, createDecipheriv, randomBytes } from 'node:crypto';

const version = 1;
const nonceBytes = 12;
const tagBytes = 16;
const headBytes = 1 + nonceBytes + tagBytes;

export interface Opened {
  readonly secretKey: string;
  /** Sealed under an older encryption key: to be sealed anew before that one is dropped. */
  readonly isOutdated: boolean;
}

export interface Sealer {
  /** Under the newest encryption key. */
  seal(secretKey: string, keyId: string): Uint8Array;
  /** Null when it was sealed under none of the encryption keys or for another row, or was altered. */
  open(sealed: Uint8Array, keyId: string): Opened | null;
}

/** @param encryptionKeys 64 hexadecimal digits each, newest first */
export function createSealer(encryptionKeys: readonly [string, ...string[]]): Sealer {
  const [newest, ...older] = encryptionKeys.map(keyOf) as [Buffer, ...Buffer[]];
  return {
    seal(secretKey, keyId) {
      const nonce = randomBytes(nonceBytes);
      const cipher = createCipheriv('aes-256-gcm', newest, nonce).setAAD(Buffer.from(keyId));
      const text = Buffer.concat([cipher.update(secretKey, 'utf8'), cipher.final()]);
      return Buffer.concat([Buffer.of(version), nonce, cipher.getAuthTag(), text]);
    },
    open(sealed, keyId) {
      if (sealed.length < headBytes || sealed[0] !== version) return null;
      for (const key of [newest, ...older]) {
        const secretKey = openWith(key, sealed, keyId);
        if (secretKey !== null) return { secretKey, isOutdated: key !== newest };
      }
      return null;
    },
  };
}

function keyOf(encryptionKey: string): Buffer {
  const key = Buffer.from(encryptionKey, 'hex');
  if (key.length !== 32) throw new Error('ENCRYPTION_KEY: expected 64 hexadecimal digits');
  return key;
}

function openWith(key: Buffer, sealed: Uint8Array, keyId: string): string | null {
  const decipher = createDecipheriv('aes-256-gcm', key, sealed.subarray(1, 1 + nonceBytes), { authTagLength: tagBytes })
    .setAAD(Buffer.from(keyId))
    .setAuthTag(sealed.subarray(1 + nonceBytes, headBytes));
  try {
    return decipher.update(sealed.subarray(headBytes), undefined, 'utf8') + decipher.final('utf8');
  } catch {
    return null;
  }
}

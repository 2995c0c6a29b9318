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

export interface Sealer {
  seal(secretKey: string, keyId: string): Uint8Array;
  /** Null when it was sealed under another encryption key or for another row, or was altered. */
  open(sealed: Uint8Array, keyId: string): string | null;
}

/** @param encryptionKey 64 hexadecimal digits */
export function createSealer(encryptionKey: string): Sealer {
  const key = Buffer.from(encryptionKey, 'hex');
  if (key.length !== 32) throw new Error('ENCRYPTION_KEY: expected 64 hexadecimal digits');
  return {
    seal(secretKey, keyId) {
      const nonce = randomBytes(nonceBytes);
      const cipher = createCipheriv('aes-256-gcm', key, nonce).setAAD(Buffer.from(keyId));
      const text = Buffer.concat([cipher.update(secretKey, 'utf8'), cipher.final()]);
      return Buffer.concat([Buffer.of(version), nonce, cipher.getAuthTag(), text]);
    },
    open(sealed, keyId) {
      if (sealed.length < headBytes || sealed[0] !== version) return null;
      const decipher = createDecipheriv('aes-256-gcm', key, sealed.subarray(1, 1 + nonceBytes), {
        authTagLength: tagBytes,
      })
        .setAAD(Buffer.from(keyId))
        .setAuthTag(sealed.subarray(1 + nonceBytes, headBytes));
      try {
        return decipher.update(sealed.subarray(headBytes), undefined, 'utf8') + decipher.final('utf8');
      } catch {
        return null;
      }
    },
  };
}

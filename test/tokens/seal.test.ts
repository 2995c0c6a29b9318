import { describe, expect, test } from 'vitest';
import { createSealer } from '../../src/tokens/seal.ts';

const encryptionKey = '0f'.repeat(32);
const secretKey = 'tr_dev_0123456789abcdef';

describe('sealed keys', () => {
  const sealer = createSealer([encryptionKey]);

  test('what was sealed opens again, for its own row only', () => {
    const sealed = sealer.seal(secretKey, 'key_1');
    expect(sealer.open(sealed, 'key_1')).toEqual({ secretKey, isOutdated: false });
    expect(sealer.open(sealed, 'key_2')).toBeNull();
  });

  test('no two seals are alike, and none holds the text', () => {
    const seals = Array.from({ length: 100 }, () => Buffer.from(sealer.seal(secretKey, 'key_1')));
    expect(new Set(seals.map((seal) => seal.toString('hex'))).size).toBe(100);
    expect(seals.some((seal) => seal.includes(secretKey))).toBe(false);
  });

  test('another encryption key opens nothing', () => {
    expect(createSealer(['f0'.repeat(32)]).open(sealer.seal(secretKey, 'key_1'), 'key_1')).toBeNull();
  });

  test('after a rotation older seals open and say so; new ones are of the newest key', () => {
    const rotated = createSealer(['f0'.repeat(32), encryptionKey]);
    const old = sealer.seal(secretKey, 'key_1');
    expect(rotated.open(old, 'key_1')).toEqual({ secretKey, isOutdated: true });
    const anew = rotated.seal(secretKey, 'key_1');
    expect(rotated.open(anew, 'key_1')).toEqual({ secretKey, isOutdated: false });
    expect(sealer.open(anew, 'key_1')).toBeNull();
    expect(createSealer(['f0'.repeat(32)]).open(anew, 'key_1')?.secretKey).toBe(secretKey);
  });

  test('no altered bit and no shortened seal opens', () => {
    const sealed = sealer.seal(secretKey, 'key_1');
    for (let index = 0; index < sealed.length; index += 1) {
      const altered = Uint8Array.from(sealed, (byte, at) => (at === index ? byte ^ 1 : byte));
      expect(sealer.open(altered, 'key_1'), `byte ${index}`).toBeNull();
      expect(sealer.open(sealed.subarray(0, index), 'key_1'), `${index} bytes`).toBeNull();
    }
  });

  test('an encryption key of the wrong length is refused in a plain sentence', () => {
    expect(() => createSealer(['0f'])).toThrow('ENCRYPTION_KEY: expected 64 hexadecimal digits');
  });
});

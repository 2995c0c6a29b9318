/** Fields that several bodies have in common, with their limits. */
import { z } from 'zod';
import { sessionIdPrefix } from '../domain/ids.ts';
import { externalIdLengthMax, tagLengthMax } from '../domain/limits.ts';
import type { JsonObject } from '../domain/trigger-config.ts';

/**
 * Lengths are characters: the page's `maxLength` counts Unicode code points, as JSON Schema defines it.
 * PostgreSQL holds no U+0000 in text, and half of a surrogate pair is no UTF-8.
 */
export const text = (lengthMax: number) =>
  z
    .string()
    .max(lengthMax)
    .refine((value) => !value.includes('\0') && value.isWellFormed(), 'must not hold U+0000 or unpaired surrogates');

export const name = (lengthMax: number) => text(lengthMax).min(1);

export const tagList = (max: number) => z.array(text(tagLengthMax)).max(max);

/** Kept as it was sent: no key of it means anything here, not even `__proto__`. */
export const jsonObject = z.custom<JsonObject>(
  (value) => typeof value === 'object' && value !== null && !Array.isArray(value),
  'Invalid input: expected a JSON object',
);

export const externalId = z
  .string()
  .trim()
  .pipe(name(externalIdLengthMax))
  .refine(
    (value) => !value.startsWith(sessionIdPrefix),
    `externalId cannot start with '${sessionIdPrefix}' (reserved prefix for internal friendlyIds)`,
  );

/** An absent field is absent: what is stored is what a caller is shown again. */
export function withoutUndefined<Fields extends object>(
  fields: Fields,
): { [Key in keyof Fields]: Exclude<Fields[Key], undefined> } {
  const present = Object.entries(fields).filter(([, value]) => value !== undefined);
  return Object.fromEntries(present) as { [Key in keyof Fields]: Exclude<Fields[Key], undefined> };
}

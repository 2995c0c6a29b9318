/** Fields that several bodies have in common, with their limits. */
import { z } from 'zod';
import { sessionIdPrefix } from '../domain/ids.ts';
import { externalIdLengthMax, tagLengthMax } from '../domain/limits.ts';
import type { JsonObject } from '../domain/trigger-config.ts';

/**
 * Lengths are characters: the page's `maxLength` counts Unicode code points, as JSON Schema defines it.
 * PostgreSQL holds no U+0000 in text, and half of a surrogate pair is no UTF-8.
 */
export const text = (lengthMax: number) => z.string().max(lengthMax).refine(isStorable, notStorable);

const isStorable = (value: string): boolean => !value.includes('\0') && value.isWellFormed();
const notStorable = 'must not hold U+0000 or unpaired surrogates';

export const name = (lengthMax: number) => text(lengthMax).min(1);

export const tagList = (max: number) => z.array(text(tagLengthMax)).max(max);

/** Kept as it was sent: no key of it means anything here, not even `__proto__`. */
export const jsonObject = z
  .custom<JsonObject>(
    (value) => typeof value === 'object' && value !== null && !Array.isArray(value),
    'Invalid input: expected a JSON object',
  )
  // What the document says of it: a custom check says nothing.
  .meta({ type: 'object', additionalProperties: true });

export const externalId = z
  .string()
  .trim()
  .min(1)
  .max(externalIdLengthMax)
  .refine(isStorable, notStorable)
  .refine(
    (value) => !value.startsWith(sessionIdPrefix),
    `externalId cannot start with '${sessionIdPrefix}' (reserved prefix for internal friendlyIds)`,
  )
  .meta({
    description: `Your stable identity for the session, unique per environment for ever. Cannot start with the reserved \`${sessionIdPrefix}\` prefix. White space around it is taken off. Reusing an \`externalId\` makes create idempotent; reusing one whose session is closed or expired returns \`409\`.`,
    examples: ['chat_1234'],
  });

/** An absent field is absent: what is stored is what a caller is shown again. */
export function withoutUndefined<Fields extends object>(
  fields: Fields,
): { [Key in keyof Fields]: Exclude<Fields[Key], undefined> } {
  const present = Object.entries(fields).filter(([, value]) => value !== undefined);
  return Object.fromEntries(present) as { [Key in keyof Fields]: Exclude<Fields[Key], undefined> };
}

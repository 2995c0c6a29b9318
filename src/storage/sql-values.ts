/** JavaScript values <-> PostgreSQL's text format, in one place so that both databases agree by construction. */
import pg from 'pg';
import type { SqlValue } from './database.ts';

/** Bytes travel as they are, everything else as text. */
export function encodeValue(value: SqlValue): string | Uint8Array | null {
  if (value === null || typeof value === 'string') return value;
  if (value instanceof Date) return encodeDate(value);
  if (value instanceof Uint8Array) return value;
  if (typeof value === 'object') return encodeArray(value);
  return String(value);
}

/** ISO years beyond 9999 carry a sign that PostgreSQL does not read, and those before 1 are written as BC. */
function encodeDate(date: Date): string {
  const iso = date.toISOString();
  if (/^\d/.test(iso)) {
    return iso.startsWith('0000') ? `0001${iso.slice(4)} BC` : iso;
  }
  const [, sign, year = '', rest] = /^([+-])(\d{6})(.*)$/.exec(iso) ?? [];
  return sign === '-' ? `${String(Number(year) + 1).padStart(4, '0')}${rest} BC` : `${Number(year)}${rest}`;
}

function encodeArray(values: readonly (string | number)[]): string {
  const elements = values.map((value) =>
    typeof value === 'number' ? String(value) : `"${value.replaceAll('\\', '\\\\').replaceAll('"', '\\"')}"`,
  );
  return `{${elements.join(',')}}`;
}

type Decode = (text: string) => unknown;

const int8 = 20;
const int8Array = 1016;
const timestamptz = 1184;

/** @param typeId oid of the column's type */
export function decoderOf(typeId: number): Decode {
  if (typeId === int8) return decodeSafeInteger;
  if (typeId === timestamptz) return decodeTime;
  if (typeId === int8Array) return (text) => text.slice(1, -1).split(',').filter(Boolean).map(decodeArrayInteger);
  return pg.types.getTypeParser(typeId, 'text') as Decode;
}

/**
 * Sessions are set to ISO and UTC; what is beyond the form of our times (infinity, years of five digits) goes to the
 * driver's parser, which took 5 % of the processor time of a lone append.
 */
function decodeTime(text: string): unknown {
  const isPlain = text[4] === '-' && text.endsWith('+00');
  const ms = isPlain ? Date.parse(`${text.slice(0, 10)}T${text.slice(11, -3)}Z`) : Number.NaN;
  return Number.isNaN(ms) ? pg.types.getTypeParser(timestamptz, 'text')(text) : new Date(ms);
}

function decodeSafeInteger(text: string): number {
  const value = Number(text);
  if (!Number.isSafeInteger(value)) throw new RangeError(`bigint ${text} does not fit a number`);
  return value;
}

const decodeArrayInteger = (text: string): number | null => (text === 'NULL' ? null : decodeSafeInteger(text));

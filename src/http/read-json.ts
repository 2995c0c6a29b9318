/** A request's JSON body, bounded in bytes, time and depth while it arrives. */
import type { IncomingMessage } from 'node:http';
import { jsonDepthMax } from '../domain/limits.ts';
import type { JsonValue } from '../domain/trigger-config.ts';
import type { BodyRules } from './operation.ts';
import { type HttpFailure, refuse } from './refusal.ts';
import type { Exchange } from './route.ts';
import { bodyReadDeadlineMs } from './server-limits.ts';

/** The parsed body; refuses in the words of the route's family. */
export async function readJson(exchange: Exchange, rules: BodyRules): Promise<JsonValue> {
  const read = await readBytes(exchange.req, rules.bytesMax, bodyReadDeadlineMs);
  const parsed = read.kind === 'read' ? parseJson(read.bytes) : read;
  if (parsed.kind === 'empty' && rules.whenEmpty !== undefined) return rules.whenEmpty;
  return parsed.kind === 'json' ? parsed.value : refuse(bodyFailure(parsed.kind, rules));
}

/** A body that is not parsed, as text; bytes that are no UTF-8 become U+FFFD. */
export async function readText(exchange: Exchange, bytesMax: number): Promise<string> {
  return (await readRaw(exchange, { bytesMax, deadlineMs: bodyReadDeadlineMs })).toString('utf8');
}

/** A body as it is. */
export async function readRaw(
  exchange: Exchange,
  { bytesMax, deadlineMs }: { bytesMax: number; deadlineMs: number },
): Promise<Buffer> {
  const read = await readBytes(exchange.req, bytesMax, deadlineMs);
  return read.kind === 'read' ? read.bytes : refuse(bodyFailure(read.kind, { bytesMax, refusals: 'plain' }));
}

type BodyFault = 'too large' | 'too slow' | 'cut off' | 'empty' | 'invalid' | 'too deep';

const faultTexts: Readonly<Record<BodyFault, string>> = {
  'too large': 'Request body too large',
  'too slow': 'Request body did not arrive in time',
  'cut off': 'Request body was cut off',
  empty: 'Request body is empty',
  invalid: 'Invalid JSON',
  'too deep': `JSON is nested deeper than ${jsonDepthMax} levels`,
};

function bodyFailure(fault: BodyFault, rules: BodyRules): HttpFailure {
  if (fault === 'too slow') return { code: 'body_too_slow' };
  if (rules.refusals === 'plain') {
    if (fault === 'too large') return { code: 'body_too_large' };
    return { code: 'body_malformed', message: rules.malformed ?? faultTexts[fault] };
  }
  const tooLarge = fault === 'too large';
  const message = tooLarge ? `Request body exceeds ${rules.bytesMax / 1_024}KB` : faultTexts[fault];
  return { code: 'invalid_body', message, details: [{ code: tooLarge ? 'too_big' : 'custom', message, path: [] }] };
}

type BodyRead =
  | { readonly kind: 'read'; readonly bytes: Buffer }
  | { readonly kind: 'too large' | 'too slow' | 'cut off' };

/**
 * Bytes are counted as they arrive, whatever `Content-Length` says. A body that is not read to its end
 * is left paused; `finishUnread` takes care of the connection.
 */
export function readBytes(request: IncomingMessage, bytesMax: number, deadlineMs: number): Promise<BodyRead> {
  if (Number(request.headers['content-length'] ?? 0) > bytesMax) return Promise.resolve({ kind: 'too large' });
  return new Promise((resolve) => {
    const chunks: Buffer[] = [];
    let bytes = 0;
    const settle = (read: BodyRead): void => {
      clearTimeout(deadline);
      request.off('data', onData).off('end', onEnd).off('close', onClose).pause();
      resolve(read);
    };
    const onData = (chunk: Buffer): void => {
      bytes += chunk.length;
      if (bytes > bytesMax) settle({ kind: 'too large' });
      else chunks.push(chunk);
    };
    const onEnd = (): void => settle({ kind: 'read', bytes: Buffer.concat(chunks, bytes) });
    const onClose = (): void => settle({ kind: 'cut off' });
    const deadline = setTimeout(() => settle({ kind: 'too slow' }), deadlineMs);
    // An aborted request emits `error` too; `close` follows and settles.
    request.on('error', () => undefined);
    request.on('data', onData).on('end', onEnd).on('close', onClose);
  });
}

type Parsed =
  | { readonly kind: 'json'; readonly value: JsonValue }
  | { readonly kind: 'empty' | 'invalid' | 'too deep' };

const utf8 = new TextDecoder('utf-8', { fatal: true });

export function parseJson(bytes: Uint8Array): Parsed {
  if (bytes.length === 0) return { kind: 'empty' };
  if (isDeeperThan(bytes, jsonDepthMax)) return { kind: 'too deep' };
  try {
    return { kind: 'json', value: JSON.parse(utf8.decode(bytes)) as JsonValue };
  } catch {
    return { kind: 'invalid' };
  }
}

const quote = 0x22;
const backslash = 0x5c;

/** What a byte outside a text does to the depth; a table, because this runs over every byte of every body. */
const nesting = new Int8Array(256);
for (const opener of '[{') nesting[opener.charCodeAt(0)] = 1;
for (const closer of ']}') nesting[closer.charCodeAt(0)] = -1;

/**
 * Looks before `JSON.parse`, which would recurse. On bytes: no ASCII byte is part of a longer UTF-8
 * character. Text that is not JSON gets any answer; the parser refuses it afterwards.
 */
function isDeeperThan(bytes: Uint8Array, depthMax: number): boolean {
  let depth = 0;
  let inString = false;
  for (let index = 0; index < bytes.length; index += 1) {
    const byte = bytes[index] as number;
    if (inString) {
      if (byte === backslash) index += 1;
      else if (byte === quote) inString = false;
    } else if (byte === quote) inString = true;
    else {
      depth += nesting[byte] as number;
      if (depth > depthMax) return true;
    }
  }
  return false;
}

/** What the API document says of a route. It stands beside the handler, and what it says of a body is what reads it. */
import type { ZodObject, ZodType } from 'zod';
import type { JsonValue } from '../domain/trigger-config.ts';
import type { HttpFailure } from './refusal.ts';

export interface Operation {
  /** Name of the call in generated clients; unique. */
  readonly id: string;
  readonly tag: 'sessions' | 'channels' | 'runs' | 'tokens' | 'server';
  readonly summary: string;
  readonly description?: string;
  /** Those of the path are known by their names. */
  readonly query?: ZodObject;
  readonly headers?: ZodObject;
  readonly body?: JsonBody | RawBody;
  /** By status. An entry of a status that refusals have, too, only says what that status means here. */
  readonly answers: Readonly<Record<number, DescribedAnswer>>;
  /** What only this route refuses; what all routes of its kind refuse is added (`describe-refusals.ts`). */
  readonly refusals?: readonly HttpFailure['code'][];
}

export interface BodyRules {
  readonly bytesMax: number;
  /** Create and PATCH answer 422 with `details` for every fault of a body, the others 400 and 413 (protocol section 1.3). */
  readonly refusals: 'detailed' | 'plain';
  /** What a body of no bytes stands for; without it, it is refused. */
  readonly whenEmpty?: JsonValue;
  /** Said of every body that is not what it must be, in place of what is wrong with it; plain refusals only. */
  readonly malformed?: string;
}

export interface JsonBody<Output = unknown> extends BodyRules {
  readonly schema: ZodType<Output>;
}

/** Taken as it is. */
export interface RawBody {
  readonly rawBytesMax: number;
  /** Content types that clients send; no other is refused. */
  readonly types: readonly string[];
}

export interface DescribedAnswer {
  readonly description: string;
  /** Absent: no body, or the schemas of the refusals with this status. */
  readonly schema?: ZodType;
  /** Default: JSON. */
  readonly type?: string;
  readonly headers?: ZodObject;
}

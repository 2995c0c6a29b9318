/** How the S2 data plane says no: an HTTP status, and a body with the codes that its clients know. */
import { type Failure, Unavailable } from '../domain/failure.ts';

export interface S2Refusal {
  readonly status: number;
  readonly body: Readonly<Record<string, unknown>>;
}

/** Thrown inside `s2` only: what is wrong with a request is found far below where it is answered. */
export class S2Error extends Error {
  readonly refusal: S2Refusal;
  constructor(refusal: S2Refusal) {
    super(`refused with ${refusal.status}`);
    this.name = 'S2Error';
    this.refusal = refusal;
  }
}

const statusOf = {
  bad_frame: 400,
  bad_json: 400,
  bad_proto: 400,
  bad_header: 400,
  permission_denied: 403,
  stream_not_found: 404,
  request_timeout: 408,
  request_too_large: 413,
  invalid: 422,
  other: 500,
  unavailable: 503,
  upstream_timeout: 504,
} as const;

export type S2Code = keyof typeof statusOf;

export const refusal = (code: S2Code, message: string): S2Refusal => ({
  status: statusOf[code],
  body: { code, message },
});

export function refuse(code: S2Code, message: string): never {
  throw new S2Error(refusal(code, message));
}

const deniedTexts: Partial<Record<Failure['code'], string>> = {
  append_to_closed: 'The session is closed',
  append_to_expired: 'The session is expired',
  append_fenced: 'Another attempt or run writes for this session now',
};

/** An expected failure of an append. What waiting may mend is 503, which clients repeat; the rest they give up. */
export function refusalOf(failure: Failure): S2Refusal {
  if (failure.code === 'append_seq_mismatch') return { status: 412, body: { seq_num_mismatch: failure.next } };
  const denied = deniedTexts[failure.code];
  if (denied !== undefined) return refusal('permission_denied', denied);
  return refusal('unavailable', 'Too many appends are waiting; try again');
}

/** Null: a fault, of which nothing but that may be told. */
export function refusalIn(thrown: unknown): S2Refusal | null {
  if (thrown instanceof S2Error) return thrown.refusal;
  return thrown instanceof Unavailable
    ? refusal('unavailable', `The ${thrown.part} is not available; try again`)
    : null;
}

export const faultRefusal = refusal('other', 'Something went wrong');

/**
 * Identifiers of the wire. A brand marks text that has been parsed: no bare string inside is an id.
 * Bodies are 25 lower-case alphanumerics that sort by creation time (protocol section 2.1).
 */
declare const brand: unique symbol;
type Branded<Name extends string> = string & { readonly [brand]: Name };

export type SessionId = Branded<'SessionId'>;
export type RunId = Branded<'RunId'>;
export type EnvironmentId = Branded<'EnvironmentId'>;
export type WaitpointId = Branded<'WaitpointId'>;

/** The four kinds of environment that a secret key's prefix can name. */
export const environmentNames = ['dev', 'stg', 'prod', 'preview'] as const;
export type EnvironmentName = (typeof environmentNames)[number];

export interface Environment {
  readonly id: EnvironmentId;
  readonly name: EnvironmentName;
}

/** External ids may not begin with it, so a path segment is never ambiguous (protocol section 2.2). */
export const sessionIdPrefix = 'session_';

const timeDigits = 9;
const entropyDigits = 16;

/**
 * The body of a new id: nine base-36 digits of time (good until the year 5188), then sixteen of entropy.
 * @param atMs milliseconds since 1970
 * @param entropy at least sixteen random bytes
 */
export function idBody(atMs: number, entropy: Uint8Array): string {
  const time = Math.floor(atMs).toString(36).padStart(timeDigits, '0');
  let tail = '';
  for (let index = 0; index < entropyDigits; index += 1) tail += ((entropy[index] ?? 0) % 36).toString(36);
  return time + tail;
}

export const sessionIdOf = (body: string): SessionId => `${sessionIdPrefix}${body}` as SessionId;
export const runIdOf = (body: string): RunId => `run_${body}` as RunId;
export const waitpointIdOf = (body: string): WaitpointId => `waitpoint_${body}` as WaitpointId;
export const environmentIdOf = (body: string): EnvironmentId => `env_${body}` as EnvironmentId;

export function parseSessionId(text: string): SessionId | null {
  return /^session_[a-z0-9]{25}$/.test(text) ? (text as SessionId) : null;
}

export const runIdPattern = /^run_[a-z0-9]{1,64}$/;

export function parseRunId(text: string): RunId | null {
  return runIdPattern.test(text) ? (text as RunId) : null;
}

export function parseWaitpointId(text: string): WaitpointId | null {
  return /^waitpoint_[a-z0-9]{25}$/.test(text) ? (text as WaitpointId) : null;
}

export function parseEnvironmentName(text: string): EnvironmentName | null {
  return environmentNames.find((name) => name === text) ?? null;
}

/**
 * Tokens for one use (protocol section 2.3). A request takes its token before it does anything, so that of any number
 * of requests at once, in any number of processes, one goes on. One that is refused has done nothing and gives the
 * token back; after a fault nobody knows what was done, and the token is spent.
 */
import { randomUUID } from 'node:crypto';
import type { OneTimeToken } from '../tokens/verify.ts';
import { Refusal, refuse } from './refusal.ts';

/** Kept where all processes see it. Both throw `Unavailable` when it cannot be asked. */
export interface UsedTokens {
  /** False when another request has it, or had it. */
  take(token: OneTimeToken, useId: string): Promise<boolean>;
  giveBack(digest: Uint8Array, useId: string): Promise<void>;
}

export async function useOnce(tokens: UsedTokens, token: OneTimeToken, answer: () => Promise<void>): Promise<void> {
  const useId = randomUUID();
  if (!(await tokens.take(token, useId))) return refuse({ code: 'token_used' });
  try {
    await answer();
  } catch (thrown) {
    if (thrown instanceof Refusal && isHarmless(thrown)) await tokens.giveBack(token.digest, useId);
    throw thrown;
  }
}

/** `unavailable` is told when an outcome did not show in time: it may yet come. */
const isHarmless = ({ failure }: Refusal): boolean => failure.code !== 'unavailable';

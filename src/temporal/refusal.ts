/** What a call to Temporal was refused with, however deep the SDK has wrapped it. */
import { isGrpcServiceError } from '@temporalio/client';

/** Codes of gRPC. */
export const invalidArgument = [3];

export function isRefusal(thrown: unknown, codes: readonly number[]): boolean {
  for (let cause = thrown, depth = 0; cause instanceof Error && depth < 5; cause = cause.cause, depth += 1) {
    if (isGrpcServiceError(cause)) return codes.includes(cause.code);
  }
  return false;
}

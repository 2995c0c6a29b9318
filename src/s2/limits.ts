/** Bounds of the data plane's wire, each with its unit and its reason; those of the product are in `domain/limits`. */

/** One append: records that are stored together or not at all (protocol section 11.2). */
export const appendRecordsMax = 1_000;
export const appendMeteredBytesMax = 1_048_576;
/** The SDK gives an append five seconds to be acknowledged; a later answer makes it send the records again. */
export const s2AckDeadlineMs = 4_000;
/** A frame on the wire, without its length, and what it may hold once it is decompressed (protocol section 11.2). */
export const s2FrameBytesMax = 2_097_152;
/** Text of a unary append: JSON escapes may make six bytes of one. */
export const s2UnaryBytesMax = 8 * 1_048_576;
/** A frame, or a unary body, of which only a part has come. */
export const s2ReadDeadlineMs = 20_000;
/** Frames of one session that wait for their append; beyond it nothing more is read. */
export const s2BacklogBytesMax = 4 * 1_048_576;
/** After its last frame, a session is reset when its client does not end it. */
export const s2ResetAfterMs = 1_000;
/** Append sessions in one process. */
export const s2SessionsMax = 5_000;
/** A connection that says nothing. */
export const prefaceDeadlineMs = 10_000;
/** Clients never end the connection they keep, and one that has vanished would stay for ever. */
export const keepAliveProbeMs = 30_000;
export const windowBytes = 1_048_576;

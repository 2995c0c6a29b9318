/**
 * How the sandbox reads what a workflow was sent. Anyone who may signal it may choose an encoding, Temporal UI offers
 * one that we do not have, and a payload that throws fails the workflow's task again and again: here it is nothing.
 */
import { DefaultPayloadConverter, type PayloadConverter } from '@temporalio/common';

const converter = new DefaultPayloadConverter();

export const payloadConverter: PayloadConverter = {
  toPayload: (value) => converter.toPayload(value),
  fromPayload: (payload) => {
    try {
      return converter.fromPayload(payload);
    } catch {
      return undefined as never;
    }
  },
};

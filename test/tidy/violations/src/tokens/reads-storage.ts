// planted: boundaries tokens-sign-and-verify
import { storeName } from '../storage/dead-export.ts';

export const storeOfTokens = storeName;

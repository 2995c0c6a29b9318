// planted: boundaries s2-fronts-the-streams
import { storeName } from '../storage/dead-export.ts';

export const storeOfS2 = storeName;

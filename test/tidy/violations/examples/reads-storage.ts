// planted: boundaries examples-use-the-public-module
import { storeName } from '../src/storage/dead-export.ts';

export const storeOfExample = storeName;

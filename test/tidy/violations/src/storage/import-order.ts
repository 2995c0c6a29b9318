// planted: format organizeImports
import { storeName } from './dead-export.ts';
import { badName } from './BadName.ts';

export const names = [storeName, badName];

// planted: dead-code exports
export type StoreName = 'rows' | 'records';
export const storeName: StoreName = 'rows';
export const nobodyImportsMe = 'dead';

// Compresses a file slowly, for a test that ends the process meanwhile.
import { compressFile, zstd } from "../../src/compression/index.ts";

const [from, to] = process.argv.slice(2) as [string, string];
await compressFile(from, to, { compressor: zstd({ level: "maximum" }) });

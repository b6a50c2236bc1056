import { expect, test } from "bun:test";
import { queryWithoutSecrets, withoutSecrets } from "../../src/telemetry/http-attributes.ts";

const urls: [url: string, shown: string][] = [
  ["https://example.com/a?b=1&c=%20x#part", "https://example.com/a?b=1&c=%20x"],
  ["https://me:secret@example.com/", "https://REDACTED:REDACTED@example.com/"],
  [
    "https://s3.example/o?X-Amz-Signature=1&X-Amz-Credential=2&X-Amz-Security-Token=3&X-Amz-Date=4",
    "https://s3.example/o?X-Amz-Signature=REDACTED&X-Amz-Credential=REDACTED&X-Amz-Security-Token=REDACTED&X-Amz-Date=4",
  ],
  ["https://blob.example/o?sig=1&sv=2&SIG=3", "https://blob.example/o?sig=REDACTED&sv=2&SIG=REDACTED"],
  ["https://example.com/?token=1&token=2&x=3", "https://example.com/?token=REDACTED&x=3"],
  [
    "https://example.com/?apiKey=1&api_key=2&AWSAccessKeyId=3&password=4&client_secret=5",
    "https://example.com/?apiKey=REDACTED&api_key=REDACTED&AWSAccessKeyId=REDACTED&password=REDACTED&client_secret=REDACTED",
  ],
  ["https://example.com/?design=1&keyboard=2&monkey=3", "https://example.com/?design=1&keyboard=2&monkey=3"],
];

test.each(urls)("%s is shown without its secrets", (url, shown) => {
  expect(withoutSecrets(new URL(url))).toBe(shown);
  expect(queryWithoutSecrets(new URL(url))).toBe(new URL(shown).search.slice(1));
});

"""Makes the table of synonyms that ships with gapless from the files of WordNet 3.0.

    python tools/make_wordnet_table.py /usr/share/wordnet

The files come with Debian's packages wordnet-base and wordnet-sense-index. The same files give the same bytes. The
licence in src/gapless/augment/text/lexicon/wordnet-license.txt must stay beside the table.
"""

from __future__ import annotations

import argparse
import gzip

from gapless.augment.text.lexicon.wordnet import TABLE, Wordnet


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("folder", help="the directory with data.noun, index.sense, noun.exc, ...")
    lines = Wordnet.from_directory(parser.parse_args().folder).lines
    TABLE.write_bytes(gzip.compress(("\n".join(lines) + "\n").encode("utf-8"), compresslevel=9, mtime=0))
    print(f"{TABLE.name}: {len(lines)} lines, {TABLE.stat().st_size:,} bytes")


if __name__ == "__main__":
    main()

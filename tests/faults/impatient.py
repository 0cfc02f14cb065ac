"""``python -m auditsvc``, whose server gives clients three seconds to take an answer."""

import sys

from auditsvc.cli import main, worker

if __name__ == "__main__":
    worker.ANSWER_SECONDS = 3
    sys.exit(main(sys.argv[1:]))

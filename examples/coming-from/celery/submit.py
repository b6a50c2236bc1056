import sys

from welcome import welcome

for to in sys.argv[1:]:
    print(welcome.delay(to).id)

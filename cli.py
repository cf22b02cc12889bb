"""Run `tfret` from a checkout: `python cli.py train resnet`."""

from tfretrieval.cli import main

if __name__ == "__main__":
    main()

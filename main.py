"""Start LoRA Lab from a checkout: `python main.py` opens the window, or runs a verb."""

from lora_lab.__main__ import main

if __name__ == "__main__":
    main()

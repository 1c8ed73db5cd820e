"""``python -m iommu_inspect``."""

from iommu_inspect.cli.main import main

if __name__ == "__main__":
    main()

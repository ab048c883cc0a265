"""What a crawl says about itself: records, and their renderings for people and programs."""
